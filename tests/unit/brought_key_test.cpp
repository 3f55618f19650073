// SPDX-License-Identifier: Apache-2.0
#include "core/brought_key.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/keyring.hpp"
#include "core/random.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const Bytes kTenant = from_hex("018f2b6c7d8e7f0091a2b3c4d5e6f708");
const Key32 kDatabase(
    view(from_hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")));

Bytes public_key() {
    Bytes out(kHpkeKeyBytes);
    hpke_public_key(kDatabase, span(out));
    return out;
}

}  // namespace

TEST(BroughtKey, OpensForItsDatabaseAndTenantOnly) {
    Key32 root, opened;
    random_secret(root.span());
    BroughtKey key;
    seal_brought_key(root, view(kTenant), view(public_key()), &key);
    BroughtKey read;
    const std::string text = format_brought_key(key);
    parse_brought_key(text, &read);
    open_brought_key(read, kDatabase, view(kTenant), &opened);
    EXPECT_EQ(to_hex(opened.view()), to_hex(root.view()));
    Bytes other = kTenant;
    other[15] ^= 1;
    expect_error(Code::cannot_open,
                 [&] { open_brought_key(read, kDatabase, view(other), &opened); });
    expect_error(Code::cannot_open, [&] { open_brought_key(read, root, view(kTenant), &opened); });
    for (size_t bit = 0; bit < sizeof read.sealed * 8; ++bit) {
        BroughtKey changed = read;
        changed.sealed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        expect_error(Code::cannot_open,
                     [&] { open_brought_key(changed, kDatabase, view(kTenant), &opened); });
    }
    EXPECT_TRUE(refused([&] { seal_brought_key(root, {}, view(public_key()), &key); }));
    EXPECT_TRUE(refused([&] { seal_brought_key(root, view(kTenant), view(Bytes(32)), &key); }));
}

TEST(BroughtKey, HasOneText) {
    Key32 root;
    random_secret(root.span());
    BroughtKey key, read;
    seal_brought_key(root, view(kTenant), view(public_key()), &key);
    const std::string text = format_brought_key(key);
    EXPECT_EQ(text.size(), 154u);
    for (size_t size = 0; size < text.size(); ++size)
        EXPECT_TRUE(refused([&] { parse_brought_key(text.substr(0, size), &read); }));
    for (const std::string &bad : {text + "A", "A1." + text.substr(4), " " + text.substr(1),
                                   text.substr(0, 153) + "=", text.substr(0, 153) + "+"})
        EXPECT_TRUE(refused([&] { parse_brought_key(bad, &read); })) << bad;
}

TEST(BroughtKey, IsNotWhatNoGeneratorMakes) {
    const auto weak = [](const Bytes &key) {
        return refused([&] { check_random_key(view(key)); });
    };
    Bytes count(32), steps(32), few(32), half(32);
    for (size_t i = 0; i < 32; ++i) {
        count[i] = static_cast<uint8_t>(i);
        steps[i] = static_cast<uint8_t>(7 - 3 * i);
        few[i] = static_cast<uint8_t>(i * i % 15);
        half[i] = static_cast<uint8_t>(i < 16 ? i * 37 : 0);
    }
    EXPECT_TRUE(weak(Bytes(32)));
    EXPECT_TRUE(weak(Bytes(32, 0xff)));
    EXPECT_TRUE(weak(count));
    EXPECT_TRUE(weak(steps));
    EXPECT_TRUE(weak(few));
    EXPECT_FALSE(weak(half));  // 16 different bytes are enough: no judgement of entropy
    EXPECT_TRUE(weak(bytes_of("correct horse battery staple 123")));
    EXPECT_TRUE(weak(bytes_of("0123456789abcdef0123456789abcdef")));
    EXPECT_TRUE(weak(Bytes(half.begin(), half.end() - 1)));
    for (int i = 0; i < 1000; ++i) {
        Bytes key(32);
        random_secret(span(key));
        EXPECT_FALSE(weak(key));
    }
}

// What the independent implementation sealed.
TEST(BroughtKey, ReadsTheFrozenVector) {
    std::ifstream file(AEGIS_VECTORS "/tenant_key_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document v;
    v.Parse(text.str().c_str());
    ASSERT_FALSE(v.HasParseError());
    BroughtKey key;
    parse_brought_key(v["text"].GetString(), &key);
    EXPECT_EQ(format_brought_key(key), v["text"].GetString());
    Key32 root;
    const Bytes tenant = from_hex(v["tenant"].GetString());
    open_brought_key(key, Key32(view(from_hex(v["private"].GetString()))), view(tenant), &root);
    EXPECT_EQ(to_hex(root.view()), v["root"].GetString());
    uint8_t check[kCheckValueBytes];
    root_check_value(root, view(tenant), check);
    EXPECT_EQ(to_hex(check), v["check_value"].GetString());
}

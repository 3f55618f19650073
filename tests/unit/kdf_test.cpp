// SPDX-License-Identifier: Apache-2.0
#include "core/kdf.hpp"

#include <set>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string hkdf_hex(const std::string &salt, const std::string &key, const std::string &info,
                     size_t size) {
    Bytes out(size);
    hkdf_sha256(view(from_hex(salt)), view(from_hex(key)), view(from_hex(info)), span(out));
    return to_hex(view(out));
}

std::string info_hex(Purpose purpose, const Bytes &tenant, uint32_t epoch, uint32_t reference) {
    uint8_t out[kMaxKeyInfoBytes];
    const size_t size = encode_key_info({purpose, view(tenant), epoch, reference}, out);
    return to_hex({out, size});
}

}  // namespace

TEST(Hkdf, Rfc5869AppendixA) {
    EXPECT_EQ(hkdf_hex("000102030405060708090a0b0c", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                       "f0f1f2f3f4f5f6f7f8f9", 42),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8871858"
              "65");
    std::string salt, key, info;
    for (int i = 0; i < 80; ++i) {
        const uint8_t k = static_cast<uint8_t>(i), s = static_cast<uint8_t>(0x60 + i),
                      n = static_cast<uint8_t>(0xb0 + i);
        key += to_hex({&k, 1});
        salt += to_hex({&s, 1});
        info += to_hex({&n, 1});
    }
    EXPECT_EQ(hkdf_hex(salt, key, info, 82),
              "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271"
              "cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    EXPECT_EQ(hkdf_hex("", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", 42),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96"
              "c8");
}

TEST(Hkdf, DerivesUpTo255Blocks) {
    Bytes most(255 * 32), more(255 * 32 + 1);
    hkdf_sha256({}, as_bytes("key"), {}, span(most));
    Bytes prefix(33);
    hkdf_sha256({}, as_bytes("key"), {}, span(prefix));
    EXPECT_EQ(Bytes(most.begin(), most.begin() + 33), prefix);
    expect_error(Code::invalid_argument, [&] { hkdf_sha256({}, as_bytes("key"), {}, span(more)); });
    hkdf_sha256({}, as_bytes("key"), {}, {});
}

TEST(KeyInfo, IsEncodedByteByByte) {
    const Bytes tenant = from_hex("000102030405060708090a0b0c0d0e0f");
    EXPECT_EQ(info_hex(Purpose::encrypt, tenant, 1, 0xdeadbeef),
              "6165676973"
              "01"
              "03"
              "0010"
              "000102030405060708090a0b0c0d0e0f"
              "00000001"
              "deadbeef");
    EXPECT_EQ(info_hex(Purpose::check_value, {}, 0, 2),
              "6165676973"
              "01"
              "01"
              "0000"
              "00000000"
              "00000002");
}

TEST(KeyInfo, IsInjective) {
    std::set<std::string> seen;
    const Bytes a(16, 0), b(16, 1);
    int made = 0;
    for (uint8_t purpose = 1; purpose <= 11; ++purpose)
        for (const Bytes &tenant : {Bytes(), a, b})
            for (uint32_t epoch : {0u, 1u, 0x01000000u})
                for (uint32_t reference : {0u, 1u, 0x01000000u}) {
                    seen.insert(info_hex(static_cast<Purpose>(purpose), tenant, epoch, reference));
                    ++made;
                }
    EXPECT_EQ(seen.size(), static_cast<size_t>(made));
}

TEST(KeyInfo, RefusesOtherTenantsAndSmallRooms) {
    uint8_t out[kMaxKeyInfoBytes];
    for (size_t size : {1, 15, 17})
        expect_error(Code::invalid_argument, [&] {
            const Bytes tenant(size);
            encode_key_info({Purpose::encrypt, view(tenant), 1, 1}, out);
        });
    const Bytes tenant(16);
    expect_error(Code::invalid_argument, [&] {
        encode_key_info({Purpose::encrypt, view(tenant), 1, 1}, {out, kMaxKeyInfoBytes - 1});
    });
}

TEST(DeriveKey, EveryPartMatters) {
    const Bytes master = test_key(), other(32, 7), tenant(16, 1), neighbour(16, 2);
    std::set<std::string> keys;
    const auto add = [&](const Bytes &key, const char *salt, const KeyInfo &info) {
        Key32 out;
        derive_key(Key32(view(key)), as_bytes(salt), info, out);
        keys.insert(to_hex(out.view()));
    };
    add(master, "salt", {Purpose::encrypt, view(tenant), 1, 1});
    add(master, "salt", {Purpose::encrypt, view(tenant), 1, 1});
    EXPECT_EQ(keys.size(), 1u);
    add(other, "salt", {Purpose::encrypt, view(tenant), 1, 1});
    add(master, "pepper", {Purpose::encrypt, view(tenant), 1, 1});
    add(master, "salt", {Purpose::audit, view(tenant), 1, 1});
    add(master, "salt", {Purpose::encrypt, view(neighbour), 1, 1});
    add(master, "salt", {Purpose::encrypt, {}, 1, 1});
    add(master, "salt", {Purpose::encrypt, view(tenant), 2, 1});
    add(master, "salt", {Purpose::encrypt, view(tenant), 1, 2});
    EXPECT_EQ(keys.size(), 8u);
}

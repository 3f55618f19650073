// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string encode(std::string_view text) {
    std::string out(base64url_size(text.size()), '?');
    to_base64url(as_bytes(text), out.data());
    return out;
}

Bytes decode(std::string_view text) {
    Bytes out(base64url_decoded_size(text));
    from_base64url(text, span(out));
    return out;
}

}  // namespace

// RFC 4648 section 10, without the padding.
TEST(Base64Url, Rfc4648) {
    const char *pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (const auto &pair : pairs) {
        EXPECT_EQ(encode(pair[0]), pair[1]);
        EXPECT_EQ(decode(pair[1]), bytes_of(std::string_view(pair[0])));
    }
    EXPECT_EQ(encode("\xfb\xff\xfe"), "-__-");
    EXPECT_EQ(decode("-__-"), from_hex("fbfffe"));
}

TEST(Base64Url, RoundTripsEverySize) {
    for (size_t size = 0; size < 200; ++size) {
        Bytes bytes(size);
        for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 37 + size);
        std::string text(base64url_size(size), '?');
        to_base64url(view(bytes), text.data());
        EXPECT_EQ(decode(text), bytes);
    }
}

TEST(Base64Url, HasOneTextForEveryValue) {
    // Every text of two or three digits either is what its value encodes to, or is refused.
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            const std::string text{static_cast<char>(a), static_cast<char>(b)};
            Bytes out(1);
            if (refused([&] { from_base64url(text, span(out)); })) {
                EXPECT_EQ(out[0], 0);
                continue;
            }
            EXPECT_EQ(encode({reinterpret_cast<char *>(out.data()), 1}), text);
        }
    for (const char *text : {"A", "AAAAA", "Zh", "Zm9", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v",
                             "Zm/v", "Zm9v.", "Zm9vYg="})
        expect_error(Code::malformed, [&] { decode(text); });
    Bytes small(2);
    expect_error(Code::malformed, [&] { from_base64url("Zm9v", span(small)); });
}

TEST(Hex, BothWays) {
    char out[8];
    to_hex(view(from_hex("00a5ff10")), out);
    EXPECT_EQ(std::string_view(out, 8), "00a5ff10");
    EXPECT_EQ(hex_size(4), 8u);
    Bytes back(4);
    aegis::core::from_hex("00A5ff10", span(back));
    EXPECT_EQ(to_hex(view(back)), "00a5ff10");
    for (const char *text : {"00a5ff1", "00a5ff100", "00a5ff1g", "0x000000", " 0a5ff10",
                             "00a5f\xff"
                             "10"})
        expect_error(Code::malformed, [&] { aegis::core::from_hex(text, span(back)); });
}

TEST(Armor, IsThePrefixAndBase64Url) {
    const Bytes bytes = from_hex("a101");
    std::string text(armor_size(bytes.size()), '?');
    to_armor(view(bytes), text.data());
    EXPECT_EQ(text, "A1.oQE");
    Bytes back(armor_decoded_size(text));
    from_armor(text, span(back));
    EXPECT_EQ(back, bytes);
    EXPECT_TRUE(looks_like_armor("A1."));
    for (const char *other : {"", "A", "A1", "a1.oQE", "A2.oQE", " A1.oQE"}) {
        EXPECT_FALSE(looks_like_armor(other));
        expect_error(Code::malformed, [&] { armor_decoded_size(other); });
        expect_error(Code::malformed, [&] { from_armor(other, {}); });
    }
    expect_error(Code::malformed, [&] { armor_decoded_size("A1.oQEaA"); });
}

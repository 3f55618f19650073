// SPDX-License-Identifier: Apache-2.0
#include "core/totp.hpp"

#include "bytes_of.hpp"
#include "core/encoding.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// The secret of the vectors in RFC 4226 appendix D and RFC 6238 appendix B.
constexpr std::string_view kSecret = "12345678901234567890";
const ByteView secret = as_bytes(kSecret);

std::string six_digits(uint32_t code) {
    std::string text = std::to_string(code);
    return std::string(6 - text.size(), '0') + text;
}

}  // namespace

TEST(Totp, HotpGivesTheVectorsOfRfc4226) {
    const uint32_t wanted[] = {755224, 287082, 359152, 969429, 338314,
                               254676, 287922, 162583, 399871, 520489};
    for (uint64_t counter = 0; counter < 10; ++counter)
        EXPECT_EQ(hotp(secret, counter), wanted[counter]) << counter;
}

TEST(Totp, GivesTheVectorsOfRfc6238) {
    const struct {
        int64_t time;
        uint32_t code;
    } vectors[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
                   {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};
    for (const auto &vector : vectors) {
        const auto step = static_cast<uint64_t>(vector.time / kTotpStepSeconds);
        EXPECT_EQ(hotp(secret, step, 8), vector.code) << vector.time;
        const std::string code = six_digits(vector.code % 1000000);
        const TotpMatch match = match_totp(secret, code, vector.time, -1);
        EXPECT_EQ(match.verdict, TotpVerdict::right) << vector.time;
        EXPECT_EQ(match.step, static_cast<int64_t>(step));
    }
}

TEST(Totp, TakesOneStepOnEitherSideAndNoOther) {
    const int64_t now = 1234567890, step = now / 30;
    for (int64_t away = -3; away <= 3; ++away) {
        const std::string code = six_digits(hotp(secret, static_cast<uint64_t>(step + away)));
        const TotpMatch match = match_totp(secret, code, now, 0);
        EXPECT_EQ(match.verdict == TotpVerdict::right, away >= -1 && away <= 1) << away;
        EXPECT_EQ(match.step, away >= -1 && away <= 1 ? step + away : 0);
    }
}

TEST(Totp, RefusesAStepThatWasUsedAndEveryOneBefore) {
    const int64_t now = 1234567890, step = now / 30;
    for (int64_t last = step - 2; last <= step + 1; ++last)
        for (int64_t away = -1; away <= 1; ++away) {
            const std::string code = six_digits(hotp(secret, static_cast<uint64_t>(step + away)));
            EXPECT_EQ(match_totp(secret, code, now, last).verdict,
                      step + away > last ? TotpVerdict::right : TotpVerdict::replayed);
        }
}

TEST(Totp, OnlySixDigitsAreACode) {
    const int64_t now = 59;
    for (const char *text : {"", "28708", "2870820", "28708a", " 287082", "287082 ", "+87082",
                             "-28708", "２８７０８２", "287 082"})
        EXPECT_EQ(match_totp(secret, text, now, -1).verdict, TotpVerdict::wrong) << text;
    EXPECT_EQ(match_totp(secret, "287082", now, -1).verdict, TotpVerdict::right);
    // Before the first step there is none.
    EXPECT_EQ(match_totp(secret, "755224", 0, -1).verdict, TotpVerdict::right);
    EXPECT_EQ(match_totp(secret, "287083", now, -1).verdict, TotpVerdict::wrong);
}

TEST(Totp, DigitsAreOneToNine) {
    for (int digits : {0, -1, 10})
        expect_error(Code::invalid_argument, [&] { hotp(secret, 1, digits); });
}

TEST(Totp, TheAddressIsEncoded) {
    uint8_t room[512];
    const size_t size = totp_uri(secret, "Aegis: Café & Co", "ada+x@example.test", room);
    EXPECT_EQ(std::string(reinterpret_cast<char *>(room), size),
              "otpauth://totp/Aegis%3A%20Caf%C3%A9%20%26%20Co:ada%2Bx%40example.test"
              "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Aegis%3A%20Caf%C3%A9%20%26%20Co"
              "&algorithm=SHA1&digits=6&period=30");
    // A room that is too small is filled and no more.
    uint8_t small[10] = {};
    EXPECT_EQ(totp_uri(secret, "Aegis: Café & Co", "ada+x@example.test", ByteSpan(small, 9)), size);
    EXPECT_EQ(small[9], 0);
}

TEST(Totp, Base32GivesTheVectorsOfRfc4648) {
    const struct {
        std::string_view plain, text;
    } vectors[] = {{"", ""},
                   {"f", "MY"},
                   {"fo", "MZXQ"},
                   {"foo", "MZXW6"},
                   {"foob", "MZXW6YQ"},
                   {"fooba", "MZXW6YTB"},
                   {"foobar", "MZXW6YTBOI"}};
    for (const auto &vector : vectors) {
        std::string text(base32_size(vector.plain.size()), '?');
        to_base32(as_bytes(vector.plain), text.data());
        EXPECT_EQ(text, vector.text);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"
#include "core/recovery_code.hpp"

#include <set>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const uint8_t user[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

std::string read(std::string_view typed) {
    char digits[kRecoveryCodeDigits];
    return read_recovery_code(typed, digits) ? std::string(digits, sizeof digits) : "none";
}

}  // namespace

TEST(RecoveryCode, HasItsShapeAndIsReadAgain) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        char code[kRecoveryCodeBytes];
        make_recovery_code(code);
        const std::string text(code, sizeof code);
        ASSERT_EQ(text.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz-"), std::string::npos);
        for (size_t at = 4; at < text.size(); at += 5) ASSERT_EQ(text[at], '-');
        ASSERT_EQ(read(text).size(), kRecoveryCodeDigits);
        seen.insert(text);
    }
    EXPECT_EQ(seen.size(), 1000u);
}

TEST(RecoveryCode, IsReadAsPeopleTypeIt) {
    const std::string code = "0123456789abcdefghjkmn01";
    for (const char *typed : {"0123-4567-89ab-cdef-ghjk-mn01", "0123456789ABCDEFGHJKMN01",
                              " O123 4567 89ab cdef ghjk mnOl ", "oi23456789abcdefghjkmn0I"})
        EXPECT_EQ(read(typed), code) << typed;
    for (const char *typed : {"", "0123", "0123-4567-89ab-cdef-ghjk-mn012",
                              "0123-4567-89ab-cdef-ghjk-mn0u", "0123_4567_89ab_cdef_ghjk_mn01"})
        EXPECT_EQ(read(typed), "none") << typed;
    EXPECT_EQ(read(std::string("0123456789abcdefghjkmn0\0", 24)), "none");
}

TEST(RecoveryCode, HashIsOfTheUserAndTheDigits) {
    char digits[kRecoveryCodeDigits];
    ASSERT_TRUE(read_recovery_code("0123-4567-89ab-cdef-ghjk-mn01", digits));
    uint8_t input[21 + 16 + 24];
    memcpy(input, "aegis/recovery-code/1", 21);
    memcpy(input + 21, user, 16);
    memcpy(input + 37, digits, 24);
    EXPECT_EQ(memcmp(recovery_code_hash(user, digits).bytes, sha256(input).bytes, kDigestBytes), 0);
    // The vector of docs/format/recovery-code-v1.md.
    char hex[2 * kDigestBytes];
    to_hex(recovery_code_hash(user, digits).view(), hex);
    EXPECT_EQ(std::string(hex, sizeof hex),
              "13343e344d3d393afa5d691a98b5b39c4e82bcd9b16d827dd89dd630565bbb58");
}

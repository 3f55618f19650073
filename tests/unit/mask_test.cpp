// SPDX-License-Identifier: Apache-2.0
#include "core/mask.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string masked(Mask how, std::string_view value) {
    Bytes out(mask_capacity(value.size()));
    const size_t size = mask(how, as_bytes(value), span(out));
    EXPECT_LE(size, out.size());
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

constexpr Mask kAll[] = {Mask::none,  Mask::full,    Mask::email,    Mask::last4, Mask::domain,
                         Mask::phone, Mask::initial, Mask::initials, Mask::year,  Mask::card};

}  // namespace

TEST(Mask, Table) {
    struct Row {
        Mask how;
        const char *value, *expected;
    };
    const Row table[] = {
        {Mask::none, "secret", "secret"},
        {Mask::none, "", ""},
        {Mask::full, "secret", "***"},
        {Mask::full, "", "***"},
        {Mask::email, "bob@example.com", "b***@e***.com"},
        {Mask::email, "b@e.com", "b***@e***.com"},
        {Mask::email, "bob@mail.example.co.uk", "b***@m***.uk"},
        {Mask::email, "bob@localhost", "b***@l***"},
        {Mask::email, "bob@.com", "b***@.***"},
        {Mask::email, "\u00f6da@\u00e9cole.fr", "\u00f6***@\u00e9***.fr"},
        {Mask::email, "\"a@b\"@example.org", "\"***@e***.org"},
        {Mask::email, "bob", "***"},
        {Mask::email, "@example.com", "***"},
        {Mask::email, "bob@", "***"},
        {Mask::email, "", "***"},
        {Mask::last4, "123456789", "***6789"},
        {Mask::last4, "12345678", "***"},
        {Mask::last4, "1234", "***"},
        {Mask::last4, "", "***"},
        {Mask::last4, "\u00e4\u00e4\u00e4\u00e4\u00e4\u00f6\u00fc\u00df\u20ac",
         "***\u00f6\u00fc\u00df\u20ac"},
        {Mask::last4, "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4",
         "***"},  // 8 characters, 16 bytes
        {Mask::last4,
         "\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600"
         "\U0001f600",
         "***\U0001f600\U0001f600\U0001f600\U0001f600"},
        {Mask::domain, "bob@example.com", "***@example.com"},
        {Mask::domain, "bob@\u00e9cole.fr", "***@\u00e9cole.fr"},
        {Mask::domain, "bob", "***"},
        {Mask::domain, "@example.com", "***"},
        {Mask::domain, "bob@", "***"},
        {Mask::phone, "+491712345678", "+49***78"},
        {Mask::phone, " +49 (0) 171-2345678", "+49***78"},
        {Mask::phone, "0171 2345678", "***78"},
        {Mask::phone, "+12345678", "***"},
        {Mask::phone, "+123456789", "+12***89"},
        {Mask::phone, "+", "***"},
        {Mask::phone, "", "***"},
        {Mask::phone, "call \u00f6ffice 123456789", "***89"},
        {Mask::initial, "Ann", "A***"},
        {Mask::initial, "\u00d6da", "\u00d6***"},
        {Mask::initial, "A", "***"},
        {Mask::initial, "\u00d6", "***"},
        {Mask::initial, "", "***"},
        {Mask::initials, "Ann Lee", "A*** L***"},
        {Mask::initials, "  Ann\t\u00d6da  ", "A*** \u00d6***"},
        {Mask::initials, "J Lee", "*** L***"},
        {Mask::initials, " \n", "***"},
        {Mask::initials, "", "***"},
        {Mask::initials, "aa bb cc dd ee ff gg hh ii jj",
         "a*** b*** c*** d*** e*** f*** g*** h***"},
        {Mask::year, "1984-05-23", "1984"},
        {Mask::year, "1984-05-23 10:00:00+00", "1984"},
        {Mask::year, "12024-01-01", "12024"},
        {Mask::year, "0044-03-15 BC", "***"},
        {Mask::year, "23.05.1984", "***"},
        {Mask::year, "1984", "***"},
        {Mask::year, "4111111111111111-", "***"},
        {Mask::year, "infinity", "***"},
        {Mask::year, "", "***"},
        {Mask::card, "4111111111111111", "411111***1111"},
        {Mask::card, "4111 1111 1111 1234", "411111***1234"},
        {Mask::card, "4222222222222", "422222***2222"},
        {Mask::card, "422222222222", "***"},
        {Mask::card, "", "***"},
    };
    for (const Row &row : table) EXPECT_EQ(masked(row.how, row.value), row.expected) << row.value;
}

TEST(Mask, NeverWritesBeyondItsRoom) {
    Bytes out(8, 0x5a);
    EXPECT_EQ(mask(Mask::email, as_bytes("bob@example.com"), {out.data(), 5}), 5u);
    EXPECT_EQ(out[5], 0x5a);
    // Not UTF-8: still in bounds.
    for (const char *value :
         {"\x80\x80\x80\x80\x80@\x80\x80\x80\x80\x80.\x80", "\xff@\xff", "\x80"})
        for (Mask how : kAll) masked(how, value);
}

TEST(Mask, FitsItsRoomWhateverTheValue) {
    for (const char *piece : {"a ", "a", " ", "@", "1", "+1", "\u00d6 ", "\U0001f600", "\xff", "-"})
        for (size_t times : {0u, 1u, 2u, 9u, 20u, 500u}) {
            std::string value;
            for (size_t i = 0; i < times; ++i) value += piece;
            for (Mask how : kAll) masked(how, value);
            for (Mask how : kAll) masked(how, "+1984-" + value);
        }
}

TEST(Mask, HasAWord) {
    for (Mask how : kAll) {
        Mask found = Mask::none;
        if (how == Mask::none) continue;
        EXPECT_TRUE(find_mask(mask_word(how), &found));
        EXPECT_EQ(found, how);
    }
    Mask found = Mask::none;
    for (const char *word : {"", "none", "Full", "full ", "last5"})
        EXPECT_FALSE(find_mask(word, &found));
}

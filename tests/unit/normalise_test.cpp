// SPDX-License-Identifier: Apache-2.0
#include "core/normalise.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string normalised(Normaliser how, std::string_view value) {
    Bytes out(value.size());
    const size_t size = normalise(how, as_bytes(value), span(out));
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

std::string masked(Mask how, std::string_view value) {
    Bytes out(mask_capacity(value.size()));
    const size_t size = mask(how, as_bytes(value), span(out));
    EXPECT_LE(size, out.size());
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

TEST(Normalise, Email) {
    const std::pair<const char *, const char *> table[] = {
        {"bob@example.com", "bob@example.com"},
        {"  Bob@Example.COM\t\r\n", "bob@example.com"},
        {"B\u00d6B@example.com", "b\u00d6b@example.com"},  // beyond ASCII nothing changes
        {"a@b", "a@b"},
        {"\"odd@local\"@example.com", "\"odd@local\"@example.com"},
        {"Z[@`.{", "z[@`.{"},  // the neighbours of A-Z
    };
    for (const auto &[value, expected] : table)
        EXPECT_EQ(normalised(Normaliser::email, value), expected);
    for (const char *value : {"", " ", "@", "bob", "bob@", "@example.com", "  @  ", " bob@ "})
        expect_error(Code::malformed, [&] { normalised(Normaliser::email, value); });
}

TEST(Normalise, IsIdempotent) {
    const std::string once = normalised(Normaliser::email, " X@Y.Z ");
    EXPECT_EQ(normalised(Normaliser::email, once), once);
}

TEST(Normalise, NoneChangesNothing) {
    for (const char *value : {"", " ", " A b\n", "\u00d6"})
        EXPECT_EQ(normalised(Normaliser::none, value), value);
}

TEST(Normalise, RefusesASmallRoom) {
    Bytes out(2);
    expect_error(Code::invalid_argument,
                 [&] { normalise(Normaliser::none, as_bytes("abc"), span(out)); });
}

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
        for (Mask how : {Mask::full, Mask::email, Mask::last4}) masked(how, value);
}

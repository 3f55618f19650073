// SPDX-License-Identifier: Apache-2.0
#include "core/normalise.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string normalised(Normaliser how, std::string_view value) {
    Bytes out(normalised_capacity(how, value.size()));
    const size_t size = normalise(how, as_bytes(value), span(out));
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

TEST(Normalise, Keyword) {
    const std::pair<const char *, const char *> table[] = {
        {"", ""},
        {" Plain Text ", " Plain Text "},
        {"A\u030a", "\u00c5"},
        {"\u212b", "\u00c5"},
        {"o\u0323\u0302", "\u1ed9"},
        {"o\u0302\u0323", "\u1ed9"},
        {"\uac00", "\u1100\u1161"},
        {"\ufb01", "\ufb01"},  // compatibility characters stay
    };
    for (const auto &[value, other] : table)
        EXPECT_EQ(normalised(Normaliser::keyword, value), normalised(Normaliser::keyword, other));
    EXPECT_NE(normalised(Normaliser::keyword, "a"), normalised(Normaliser::keyword, "A"));
    EXPECT_NE(normalised(Normaliser::keyword, "\ufb01"), "fi");
}

TEST(Normalise, Caseless) {
    const std::pair<const char *, const char *> table[] = {
        {"", ""},
        {" \u00a0\u3000 ", ""},
        {"  Ann LEE\n", "ann lee"},
        {"STRASSE", "strasse"},
        {"Stra\u00dfe", "strasse"},
        {"\u0130", "i\u0307"},
        {"\ufb01", "fi"},
        {"\uff21\uff22", "ab"},
        {"a\u00adb\u200bc", "abc"},
        {"A\u030a", "\u00e5"},
        {"\u03b1\u0345\u0301", "\u03ac\u03b9"},  // canonically equal
        {"\u03b1\u0301\u0345", "\u03ac\u03b9"},
    };
    for (const auto &[value, expected] : table)
        EXPECT_EQ(normalised(Normaliser::caseless, value), expected) << value;
}

TEST(Normalise, RefusesWhatIsNotUtf8) {
    for (const char *value :
         {"\x80", "\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80"})
        for (Normaliser how : {Normaliser::keyword, Normaliser::caseless})
            expect_error(Code::malformed, [&] { normalised(how, value); });
}

TEST(Normalise, Phone) {
    const std::pair<const char *, const char *> table[] = {
        {"+491712345678", "+491712345678"},
        {"00491712345678", "+491712345678"},
        {" +49 (171) 234-56.78\n", "+491712345678"},
        {"+49 (0) 171 / 2345678", "+491712345678"},
        {"(+49) 1712345678", "+491712345678"},
        {"0 0 49 171 2345678", "+491712345678"},
        {"+49\u00a0171\u00a02345678", "+491712345678"},
        {"+390612345678", "+390612345678"},  // Italy keeps its 0
        {"+2901234", "+2901234"},
        {"+123456789012345", "+123456789012345"},
    };
    for (const auto &[value, expected] : table)
        EXPECT_EQ(normalised(Normaliser::phone, value), expected) << value;
    for (const char *value :
         {"", "+", "00", "0171 2345678", "1712345678", "+49171234567x", "++491712345678",
          "+49+171234567", "000491712345678", "+0491712345678", "+123456", "+1234567890123456",
          "0+491712345678", "+49 171 2345678 ext 9", "tel:+491712345678", "+\uff14\uff19171234567",
          "+49\u2009171234567"})
        expect_error(Code::malformed, [&] { normalised(Normaliser::phone, value); });
}

TEST(Normalise, Alnum) {
    const std::pair<const char *, const char *> table[] = {
        {"de89 3704 0044 0532 0130 00", "DE89370400440532013000"},
        {"DE-129.274.202", "DE129274202"},
        {"\tATU/1234\u00a05678 ", "ATU12345678"},
    };
    for (const auto &[value, expected] : table)
        EXPECT_EQ(normalised(Normaliser::alnum, value), expected) << value;
    for (const char *value : {"", " - ", "\u00c4 1", "1\u0661", "a\x01", "a\x7f", "\xc2"})
        expect_error(Code::malformed, [&] { normalised(Normaliser::alnum, value); });
}

TEST(Normalise, IsIdempotent) {
    const std::pair<Normaliser, const char *> table[] = {
        {Normaliser::email, " X@Y.Z "},
        {Normaliser::keyword, "A\u030a"},
        {Normaliser::caseless, " Stra\u00dfe\ufb01 "},
        {Normaliser::phone, "00 49 171 2345678"},
        {Normaliser::alnum, "de 89"}};
    for (const auto &[how, value] : table) {
        const std::string once = normalised(how, value);
        EXPECT_EQ(normalised(how, once), once);
    }
}

// The capacity holds for every character, so it holds for every text.
TEST(Normalise, EveryCodePointFits) {
    for (uint32_t point = 1; point < 0x110000; ++point) {
        if (point >= 0xd800 && point < 0xe000) continue;
        std::string text;
        if (point < 0x80) {
            text = {static_cast<char>(point)};
        } else if (point < 0x800) {
            text = {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))};
        } else if (point < 0x10000) {
            text = {static_cast<char>(0xe0 | point >> 12),
                    static_cast<char>(0x80 | (point >> 6 & 0x3f)),
                    static_cast<char>(0x80 | (point & 0x3f))};
        } else {
            text = {static_cast<char>(0xf0 | point >> 18),
                    static_cast<char>(0x80 | (point >> 12 & 0x3f)),
                    static_cast<char>(0x80 | (point >> 6 & 0x3f)),
                    static_cast<char>(0x80 | (point & 0x3f))};
        }
        const std::string many = text + text + text;
        for (Normaliser how : {Normaliser::keyword, Normaliser::caseless})
            ASSERT_NO_THROW(normalised(how, many)) << point;
    }
}

TEST(Normalise, NoneChangesNothing) {
    for (const char *value : {"", " ", " A b\n", "\u00d6"})
        EXPECT_EQ(normalised(Normaliser::none, value), value);
    EXPECT_EQ(normalised(Normaliser::exact, " A b\u030a "), " A b\u030a ");
}

TEST(Normalise, RefusesASmallRoom) {
    Bytes out(2);
    expect_error(Code::invalid_argument,
                 [&] { normalise(Normaliser::none, as_bytes("abc"), span(out)); });
}

// SPDX-License-Identifier: Apache-2.0
#include "core/json.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

bool is_refused(const std::string &text) {
    return refused([&] { JsonDocument document(text); });
}

}  // namespace

TEST(Json, ReadsMembersOfEveryType) {
    const JsonDocument document(
        R"({"t": "a\u00e9", "n": -3, "f": 1.9, "b": true, "l": ["x", 2], "o": {"in": {"er": "y"}}, "z": null})");
    const JsonValue root = document.root();
    ASSERT_TRUE(root.is_object());
    EXPECT_EQ(root.member("t")->text(), "a\xC3\xA9");
    EXPECT_EQ(root.member("n")->whole(), -3);
    EXPECT_EQ(root.member("f")->whole(), 1);
    EXPECT_EQ(root.member("b")->truth(), true);
    EXPECT_EQ(root.member("l")->size(), 2u);
    EXPECT_EQ(root.member("l")->item(0).text(), "x");
    EXPECT_EQ(root.member("o")->member("in")->member("er")->text(), "y");
    EXPECT_FALSE(root.member("z")->text());
    EXPECT_FALSE(root.member("t")->whole());
    EXPECT_FALSE(root.member("none"));
    EXPECT_FALSE(root.member("t")->member("t"));
    EXPECT_TRUE(refused([&] { root.member("l")->item(2); }));
}

TEST(Json, NumbersThatNoDoubleHoldsExactlyAreNone) {
    EXPECT_EQ(JsonDocument("9007199254740992").root().whole(), 9007199254740992);
    EXPECT_FALSE(JsonDocument("9007199254740994").root().whole());
    EXPECT_FALSE(JsonDocument("1e300").root().whole());
}

TEST(Json, RefusesWhatReadersDisagreeOn) {
    for (const char *text : {"",
                             " ",
                             "{",
                             "{}x",
                             "{} {}",
                             "{'a': 1}",
                             "{\"a\": 1,}",
                             "[1,]",
                             "01",
                             "NaN",
                             "// x\n1",
                             R"({"a": 1, "a": 1})",
                             R"({"a": 1, "\u0061": 2})",
                             R"([{"b": {"c": 1, "c": 2}}])",
                             R"("\ud800")",
                             R"("\udc00")",
                             R"("\u0000")",
                             R"({"\u0000": 1})",
                             "\"\xC0\xAF\"",
                             "\"\xED\xA0\x80\"",
                             "\"\n\"",
                             "\"\xFF\""})
        EXPECT_TRUE(is_refused(text)) << text;
    EXPECT_TRUE(is_refused(std::string("1\0", 2)));
    EXPECT_TRUE(is_refused("\xEF\xBB\xBF{}"));
}

TEST(Json, NestingIsBounded) {
    const std::string open(kMaxJsonNesting, '['), close(kMaxJsonNesting, ']');
    EXPECT_FALSE(is_refused(open + close));
    EXPECT_TRUE(is_refused("[" + open + close + "]"));
    EXPECT_TRUE(is_refused(std::string(5000000, '[')));
}

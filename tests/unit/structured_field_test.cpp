// SPDX-License-Identifier: Apache-2.0
#include "core/structured_field.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

BareItem only(const std::string &value) {
    return parse_dictionary("k=" + value).at(0).item.value;
}

}  // namespace

// The examples of RFC 8941, sections 3.2 and 3.3.
TEST(StructuredField, ReadsDictionaries) {
    const auto text = parse_dictionary("en=\"Applepie\", da=:w4ZibGV0w6ZydGU=:");
    ASSERT_EQ(text.size(), 2u);
    EXPECT_EQ(text[0].key, "en");
    EXPECT_EQ(text[0].item.value.text, "Applepie");
    EXPECT_EQ(text[1].item.value.text,
              "\xc3\x86"
              "blet\xc3\xa6rte");

    const auto flags = parse_dictionary("a=?0, b, c; foo=bar");
    ASSERT_EQ(flags.size(), 3u);
    EXPECT_EQ(flags[0].item.value.number, 0);
    EXPECT_EQ(flags[1].item.value.number, 1);
    EXPECT_EQ(flags[2].item.parameters.at(0).second.text, "bar");

    const auto lists = parse_dictionary("rating=1.5, feelings=(joy sadness)");
    EXPECT_EQ(lists.at(0).item.value.number, 1500);
    ASSERT_TRUE(lists.at(1).is_list);
    EXPECT_EQ(lists[1].list.items.at(1).value.text, "sadness");

    const auto mixed = parse_dictionary("a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid");
    ASSERT_EQ(mixed.size(), 4u);
    EXPECT_EQ(format_inner_list(mixed[3].list), "(5 6);valid");
    EXPECT_TRUE(parse_dictionary("").empty());
    EXPECT_TRUE(parse_dictionary("  ").empty());
    EXPECT_EQ(parse_dictionary("a=1 \t,\t b=2  ").size(), 2u);
}

TEST(StructuredField, ReadsBareItems) {
    EXPECT_EQ(only("-999999999999999").number, -999999999999999);
    EXPECT_EQ(only("042").number, 42);
    EXPECT_EQ(only("-0.25").number, -250);
    EXPECT_EQ(only("123456789012.1").number, 123456789012100);
    EXPECT_EQ(only("\"a \\\"b\\\\\"").text, "a \"b\\");
    EXPECT_EQ(only("*foo/bar:x").text, "*foo/bar:x");
    EXPECT_EQ(only("::").text, "");
}

TEST(StructuredField, RefusesTheRest) {
    for (const char *text : {"a=1,",
                             ",a=1",
                             "a=1 b=2",
                             "a=1,,b=2",
                             "A=1",
                             "1=a",
                             "a=",
                             "a==1",
                             "a=1;",
                             "a=1;B",
                             "a=--1",
                             "a=1234567890123456",
                             "a=1.",
                             "a=1.2345",
                             "a=1234567890123.1",
                             "a=-",
                             "a=\"x",
                             "a=\"\\x\"",
                             "a=\"\x7f\"",
                             "a=\"\xc3\xa4\"",
                             "a=:YQ=:",
                             "a=:YQ:",
                             "a=:YR==:",
                             "a=:Y Q==:",
                             "a=:YQ==",
                             "a=?2",
                             "a=?",
                             "a=(1",
                             "a=(1,2)",
                             "a=(1\t2)",
                             "a=(1\"x\")",
                             "a=((1))",
                             "a=@1659578233",
                             "a=%\"x\"",
                             "\ta=1",
                             "a=1\n",
                             "a=1, a=2",
                             "a=1;x=1;x=2",
                             "a=(1;x;x)",
                             "a=\x01"})
        EXPECT_TRUE(refused([&] { parse_dictionary(text); })) << text;
    expect_error(Code::too_long,
                 [] { parse_dictionary(std::string(kMaxStructuredFieldBytes + 1, ' ')); });
}

TEST(StructuredField, HasOneSpelling) {
    const std::pair<const char *, const char *> spellings[] = {
        {"s=(  \"@method\"   \"a\";sf )  ", "(\"@method\" \"a\";sf)"},
        {"s=();  created=1; b=?1;c=?0; d=1.50;e=-0.5", "();created=1;b;c=?0;d=1.5;e=-0.5"},
        {"s=(:YQ==: tok \"q\\\"\\\\\" 3.0)", "(:YQ==: tok \"q\\\"\\\\\" 3.0)"},
    };
    for (const auto &[given, wanted] : spellings)
        EXPECT_EQ(format_inner_list(parse_dictionary(given).at(0).list), wanted);
    InnerList list;
    list.items.emplace_back();
    list.items[0].value.type = FieldType::string;
    list.items[0].value.text = "\n";
    expect_error(Code::invalid_argument, [&] { format_inner_list(list); });
}

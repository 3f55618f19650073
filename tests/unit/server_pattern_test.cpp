// SPDX-License-Identifier: Apache-2.0
// A pattern takes the whole text or nothing, byte by byte, whatever somebody wrote.
#include "pattern.hpp"
#include "url.hpp"

#include <string>

#include <gtest/gtest.h>

namespace {

using namespace aegis::server;
using namespace std::string_literals;

TEST(Pattern, TakesTheWholeText) {
    const Pattern code("[A-Z0-9_]{1,16}");
    for (const char *good : {"UK", "A", "EU_1", "ABCDEFGHIJKLMNOP"})
        EXPECT_TRUE(code.fits(good)) << good;
    for (const char *bad : {"", " UK", "UK ", "xUK", "UKx", "UK\n", "\nUK", "UK\r\nUK", "uk", "U-K",
                            "ABCDEFGHIJKLMNOPQ"})
        EXPECT_FALSE(code.fits(bad)) << bad;
}

TEST(Pattern, TakesTheWholeOfEitherBranch) {
    const Pattern either("ab|cd");
    EXPECT_TRUE(either.fits("ab"));
    EXPECT_TRUE(either.fits("cd"));
    for (const char *bad : {"abx", "xcd", "abcd", "a", "ad"}) EXPECT_FALSE(either.fits(bad)) << bad;
}

TEST(Pattern, AnEmptyTextFitsWhereNothingIsAskedFor) {
    EXPECT_TRUE(Pattern("a*").fits(""));
    EXPECT_FALSE(Pattern("a+").fits(""));
}

// A text that ends early for one reader must not end early for another.
TEST(Pattern, AZeroByteIsAByteLikeAnyOther) {
    const Pattern code("[A-Z]+");
    EXPECT_FALSE(code.fits("UK\0"s));
    EXPECT_FALSE(code.fits("UK\0SG"s));
    EXPECT_FALSE(code.fits("\0"s));
}

TEST(Pattern, LettersAreThoseOfAsciiOnly) {
    const Pattern word("[A-Za-z0-9]+");
    for (int byte = 0; byte < 256; ++byte) {
        const bool ours = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                          (byte >= '0' && byte <= '9');
        EXPECT_EQ(word.fits(std::string(1, static_cast<char>(byte))), ours) << byte;
    }
    for (const char *bad : {"caf\xc3\xa9", "\xef\xbb\xbfUK", "\xff\xfe", "U\xcc\x81K"})
        EXPECT_FALSE(word.fits(bad)) << bad;
}

TEST(Pattern, ADotIsNoEndOfALine) {
    const Pattern line(".*");
    EXPECT_TRUE(line.fits("anything \xff at all"));
    EXPECT_FALSE(line.fits("two\nlines"));
    EXPECT_FALSE(line.fits("two\rlines"));
}

// The library goes one call deeper for each byte that it has taken: a text without end would take
// the stack with it.
TEST(Pattern, ALongTextFitsNothing) {
    const Pattern path("(/[A-Za-z0-9_.~-]+)*/?"), anything("(.|\\n)*"), lines(".*/\\.\\.?(/.*)?");
    std::string text = "/";
    text.append(Pattern::kLongest - 1, 'a');
    EXPECT_TRUE(path.fits(text));
    EXPECT_TRUE(anything.fits(text));
    EXPECT_FALSE(lines.fits(text));
    text += 'a';
    EXPECT_FALSE(path.fits(text));
    EXPECT_FALSE(anything.fits(text));
    text.append(16 << 20, 'a');
    EXPECT_FALSE(path.fits(text));
    EXPECT_FALSE(anything.fits(text));
    EXPECT_FALSE(lines.fits(text));
}

// What is matched in more than one way must not be tried in all of them.
TEST(Pattern, TheShippedOnesEndSoon) {
    std::string dashes = "https://", dots = "https://", steps, labels = "https://";
    while (dashes.size() < 499) dashes += "a-";
    while (dots.size() < 499) dots += "a.";
    while (steps.size() < 498) steps += "/.a";
    while (labels.size() < 480) labels += "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.";
    for (const std::string &text : {dashes, dots, labels, dashes + "!", "https://" + steps}) {
        EXPECT_FALSE(is_well_formed_url(text)) << text;
    }
    EXPECT_TRUE(is_well_formed_path(steps));
    EXPECT_FALSE(is_well_formed_path(steps + "!"));
    EXPECT_FALSE(is_well_formed_path(steps + "/."));
    const Pattern host("[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:]+\\]");
    EXPECT_FALSE(host.fits(std::string(Pattern::kLongest, '-')));
    EXPECT_FALSE(host.fits(std::string(Pattern::kLongest - 1, 'a') + "-"));
    EXPECT_FALSE(host.fits("[" + std::string(Pattern::kLongest - 1, ':')));
    EXPECT_TRUE(host.fits(std::string(Pattern::kLongest, 'a')));
}

TEST(Pattern, UrlsAreHeldToTheirForm) {
    for (const char *good : {"https://example.com", "https://example.com:8443/a/b~c",
                             "http://[::1]", "http://127.0.0.1:80/x", "https://[fd00::1]:1"})
        EXPECT_TRUE(is_well_formed_url(good)) << good;
    for (const char *bad : {"",
                            "https://",
                            "http://example.com",
                            "HTTPS://example.com",
                            "https://Example.com",
                            "https://a@example.com",
                            "https://example.com:0",
                            "https://example.com:123456",
                            "https://example..com",
                            "https://-example.com",
                            "https://example.com/a?b",
                            "https://example.com/a#b",
                            "https://example.com/../x",
                            "https://example.com/a/..",
                            "https://example.com//a",
                            "https://example.com\n",
                            "https://example.com/a\n/..",
                            "https://ex\xc3\xa4mple.com",
                            "http://127.0.0.1.example.com",
                            "http://127.0.0.1@x"})
        EXPECT_FALSE(is_well_formed_url(bad)) << bad;
    EXPECT_FALSE(is_well_formed_url("https://example.com\0.evil.example"s));
    EXPECT_FALSE(is_well_formed_path("/a\0"s));
}

}  // namespace

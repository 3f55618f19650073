// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"
#include "core/session_token.hpp"

#include <set>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string make(std::string_view region) {
    char out[kMaxSessionTokenBytes];
    return {out, make_session_token(region, out)};
}

}  // namespace

TEST(SessionToken, HasItsShape) {
    const std::string token = make("EU_WEST");
    EXPECT_EQ(token.size(), 5u + 7 + 1 + 43);
    EXPECT_EQ(token.substr(0, 13), "ags1_EU-WEST_");
    EXPECT_TRUE(is_session_token(token));
    EXPECT_TRUE(is_session_token(make("X")));
    EXPECT_EQ(make("ABCDEFGHIJ012345").size(), kMaxSessionTokenBytes);
    EXPECT_TRUE(is_session_token(make("ABCDEFGHIJ-_2345")));
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string drawn = make("EU");
        ASSERT_TRUE(is_session_token(drawn));
        seen.insert(drawn);
    }
    EXPECT_EQ(seen.size(), 1000u);
}

TEST(SessionToken, RefusesOtherRegions) {
    for (const char *region :
         {"", "eu", "EU WEST", "EU.WEST", "ABCDEFGHIJ0123456", "E\u00dc", "EU/"})
        expect_error(Code::invalid_argument, [&] { make(region); });
}

TEST(SessionToken, OtherShapesAreNotTokens) {
    const std::string random(43, 'A');
    EXPECT_TRUE(is_session_token("ags1_EU_" + random));
    const std::string shapes[] = {
        "",
        "ags1_",
        "ags1__" + random,
        "ags1_EU" + random,
        "AGS1_EU_" + random,
        "ags2_EU_" + random,
        "ags1_eu_" + random,
        "ags1_E.U_" + random,
        "ags1_ABCDEFGHIJ0123456_" + random,
        "ags1_EU_" + random.substr(1),
        "ags1_EU_" + random + "A",
        "ags1_EU_" + random.substr(1) + "B",  // bits beyond the 32nd byte
        "ags1_EU_" + random.substr(1) + "+",
        "ags1_EU_" + random.substr(1) + "=",
        " ags1_EU_" + random,
        "ags1_EU_" + random + " ",
        "ags1_EU_" + random + "\n",
        "ags1_EU_WEST_" + random,
        std::string(100000, '_'),
    };
    for (const std::string &shape : shapes)
        EXPECT_FALSE(is_session_token(shape)) << shape.substr(0, 80);
    const std::string token = make("EU");
    for (size_t size = 0; size < token.size(); ++size)
        EXPECT_FALSE(is_session_token({token.data(), size}));
}

TEST(SessionToken, IsStoredAsItsHash) {
    EXPECT_EQ(to_hex(session_token_hash("abc").view()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// The vector of docs/format/user-token-v1.md: the same shape under another prefix, and no session.
TEST(SessionToken, UserTokensAreOfAnotherKind) {
    const std::string token = "agu1_EU-WEST_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    EXPECT_TRUE(is_token(TokenKind::user, token));
    EXPECT_FALSE(is_token(TokenKind::challenge, token));
    EXPECT_FALSE(is_session_token(token));
    char hex[2 * kDigestBytes];
    to_hex(session_token_hash(token).view(), hex);
    EXPECT_EQ(std::string(hex, sizeof hex),
              "5e4df99f0cef183e80085d135fdd206effaedd8c040663f7750693245462877c");
    char made[kMaxSessionTokenBytes];
    const size_t size = make_token(TokenKind::user, "LOCAL", made);
    EXPECT_TRUE(is_token(TokenKind::user, {made, size}));
    EXPECT_FALSE(is_session_token({made, size}));
}

TEST(SessionToken, NamesTheRegionThatIsWrittenInIt) {
    const std::string random(43, 'A');
    EXPECT_EQ(region_of_token(make("EU_WEST")), "EU_WEST");
    for (const char *kind : {"ags1_", "agc1_", "agu1_"})
        EXPECT_EQ(region_of_token(kind + ("SG_" + random)), "SG");
    // Only of what has the shape of a token: anything else leads nowhere.
    const std::string others[] = {"",
                                  "ags1_SG_",
                                  "ags2_SG_" + random,
                                  "SG_" + random,
                                  "ags1_sg_" + random,
                                  "ags1_SG_" + random + "A"};
    for (const std::string &other : others) EXPECT_EQ(region_of_token(other), "") << other;
}

// SPDX-License-Identifier: Apache-2.0
// What is checked of a token, each by a token that is wrong in this alone.
#include "core/jwt.hpp"

#include <map>

#include "jose.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

constexpr int64_t kNow = 1700000000;

const SigningKey &rsa_key() {
    static const SigningKey key = SigningKey::rsa(2048);
    return key;
}
const SigningKey &other_key() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

std::string canonical(const SigningKey &key) {
    return parse_jwk("{" + key.members() + "}").canonical;
}

// Members of an object as JSON texts, in any order; an empty one is left out.
using Members = std::map<std::string, std::string>;

std::string object(const Members &members) {
    std::string text;
    for (const auto &[name, value] : members)
        if (!value.empty()) text += (text.empty() ? "\"" : ",\"") + name + "\":" + value;
    return "{" + text + "}";
}

std::string quoted(const std::string &text) {
    return '"' + text + '"';
}

struct Made {
    Members header = {{"alg", quoted("RS256")}, {"kid", quoted("k1")}, {"typ", quoted("at+jwt")}};
    Members claims = {{"iss", quoted("https://issuer.example")},
                      {"aud", quoted("aegis")},
                      {"sub", quoted("subject-1")},
                      {"sid", quoted("session-1")},
                      {"iat", std::to_string(kNow - 10)},
                      {"exp", std::to_string(kNow + 300)},
                      {"org", quoted("acme")},
                      {"roles", "[\"reader\",\"boss\"]"}};
    const SigningKey *key = &rsa_key();
    JwsAlgorithm algorithm = JwsAlgorithm::rs256;

    std::vector<std::string_view> types = {"at+jwt"}, audiences = {"aegis"}, parties,
                                  organisation = {"org"}, role = {"roles"};
    std::vector<RoleRank> roles = {{"boss", 3}, {"reader", 1}};
    ClaimShape shape = ClaimShape::plain;
    std::string nonce;
    TokenClaims read;

    std::string token() const { return key->token(object(header), object(claims)); }
    TokenFault verify(const std::string &text) {
        TokenRules rules;
        rules.issuer = "https://issuer.example";
        rules.shape = shape;
        rules.types = types.data(), rules.type_count = types.size();
        rules.audiences = audiences.data(), rules.audience_count = audiences.size();
        rules.parties = parties.data(), rules.party_count = parties.size();
        rules.organisation_path = organisation.data();
        rules.organisation_depth = organisation.size();
        rules.role_path = role.data(), rules.role_depth = role.size();
        rules.roles = roles.data(), rules.role_count = roles.size();
        rules.nonce = nonce;
        rules.now = kNow, rules.skew = 5;
        return verify_token(text, canonical(*key), algorithm, rules, &read);
    }
    TokenFault verify() { return verify(token()); }
};

TokenFault fault_with(const std::string &claim, const std::string &value) {
    Made made;
    made.claims[claim] = value;
    return made.verify();
}

bool head_is_refused(const std::string &token) {
    return refused([&] {
        TokenHead head;
        read_token_head(token, &head);
    });
}

Made clerk(const Members &more) {
    Made made;
    made.shape = ClaimShape::clerk;
    made.types = {"jwt"};
    made.audiences = {};
    made.parties = {"https://app.example"};
    made.header["typ"] = quoted("JWT");
    made.claims = {{"iss", quoted("https://issuer.example")},
                   {"sub", quoted("user_1")},
                   {"sid", quoted("sess_1")},
                   {"azp", quoted("https://app.example")},
                   {"iat", std::to_string(kNow - 10)},
                   {"nbf", std::to_string(kNow - 20)},
                   {"exp", std::to_string(kNow + 50)}};
    made.roles = {{"admin", 4}, {"member", 1}};
    for (const auto &[name, value] : more) made.claims[name] = value;
    return made;
}

}  // namespace

TEST(Jwt, ReadsWhatItsIssuerSigned) {
    Made made;
    made.claims["auth_time"] = std::to_string(kNow - 60);
    made.claims["amr"] = "[\"pwd\",\"mfa\"]";
    ASSERT_EQ(made.verify(), TokenFault::none);
    EXPECT_STREQ(made.read.subject, "subject-1");
    EXPECT_STREQ(made.read.sid, "session-1");
    EXPECT_STREQ(made.read.organisation, "acme");
    EXPECT_EQ(made.read.rank, 3);
    EXPECT_TRUE(made.read.second_factor);
    EXPECT_EQ(made.read.issued_at, kNow - 10);
    EXPECT_EQ(made.read.expires_at, kNow + 300);
    EXPECT_EQ(made.read.authenticated_at, kNow - 60);
    TokenHead head;
    read_token_head(made.token(), &head);
    EXPECT_STREQ(head.kid, "k1");
    EXPECT_STREQ(head.issuer, "https://issuer.example");
    EXPECT_EQ(head.algorithm, JwsAlgorithm::rs256);
}

TEST(Jwt, AForgedTokenIsRefusedWhateverItClaims) {
    Made made;
    const std::string token = made.token();
    Made other;
    other.key = &other_key();
    other.header["alg"] = quoted("ES256");
    EXPECT_TRUE(refused([&] { made.verify(other.token()); }));
    other.header["alg"] = quoted("RS256");
    EXPECT_TRUE(refused([&] { made.verify(other.token()); }));
    EXPECT_TRUE(refused([&] { made.verify(token.substr(0, token.rfind('.') + 1)); }));
    const std::string claims = base64url(object(Made().claims));
    EXPECT_TRUE(refused([&] { made.verify(base64url(R"({"alg":"none"})") + "." + claims + "."); }));
    // A token that its issuer did not sign says nothing of why: not even that it is late.
    made.claims["exp"] = "1";
    std::string late = made.token();
    EXPECT_EQ(made.verify(late), TokenFault::expired);
    late[late.rfind('.') + 5] = late[late.rfind('.') + 5] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(refused([&] { made.verify(late); }));
}

TEST(Jwt, TheHeaderDoesNotChooseTheAlgorithm) {
    Made made;
    made.header["alg"] = quoted("PS256");
    const std::string pss = made.key->token(object(made.header), object(made.claims), 32);
    EXPECT_TRUE(refused([&] { made.verify(pss); }));
    made.algorithm = JwsAlgorithm::ps256;
    EXPECT_EQ(made.verify(pss), TokenFault::none);
}

TEST(Jwt, HeadsThatAreNotTaken) {
    const auto with = [](const std::string &name, const std::string &value) {
        Made made;
        made.header[name] = value;
        return made.token();
    };
    EXPECT_FALSE(head_is_refused(Made().token()));
    EXPECT_FALSE(head_is_refused(with("jku", quoted("https://evil.example/keys"))));  // not read
    for (const char *algorithm : {"none", "None", "HS256", "HS512", "RS384", "ES256K", "dir", ""})
        EXPECT_TRUE(head_is_refused(with("alg", quoted(algorithm)))) << algorithm;
    EXPECT_TRUE(head_is_refused(with("alg", "")));
    EXPECT_TRUE(head_is_refused(with("crit", "[]")));
    EXPECT_TRUE(head_is_refused(with("crit", "[\"exp\"]")));
    EXPECT_TRUE(head_is_refused(with("b64", "false")));
    for (const char *kid : {"../../../dev/null", "' or 1=1 --", "a b", "a/b", "", "k1\\u0000"})
        EXPECT_TRUE(head_is_refused(with("kid", quoted(kid)))) << kid;
    EXPECT_TRUE(head_is_refused(with("kid", "1")));
    EXPECT_TRUE(head_is_refused(with("kid", "")));
    EXPECT_TRUE(head_is_refused(with("kid", quoted(std::string(129, 'k')))));
    EXPECT_TRUE(head_is_refused(with("k", "1,\"kid\":\"k2\"")));  // a name twice
    Made twice;
    twice.claims["x"] = "1,\"sub\":\"somebody-else\"";
    EXPECT_TRUE(head_is_refused(twice.token()));
    Made unknown;
    unknown.claims["iss"] = "";
    EXPECT_TRUE(head_is_refused(unknown.token()));
}

TEST(Jwt, TheFormIsStrict) {
    const std::string token = Made().token();
    const size_t dot = token.find('.');
    EXPECT_TRUE(looks_like_jwt(token));
    for (const std::string &other :
         {std::string(), std::string("."), std::string(".."), std::string("a.b"), "." + token,
          token + ".", token + ".a", token + "=", token.substr(0, dot) + "=" + token.substr(dot),
          " " + token, token + "\n", std::string("a..b"),
          "." + token.substr(0, token.rfind('.'))}) {
        EXPECT_FALSE(looks_like_jwt(other)) << other;
        EXPECT_TRUE(head_is_refused(other)) << other;
    }
    EXPECT_FALSE(looks_like_jwt(token + std::string(kMaxTokenBytes, 'A')));
    Made large;
    large.claims["x"] = quoted(std::string(kMaxTokenBytes, 'x'));
    EXPECT_TRUE(head_is_refused(large.token()));
    // Trailing bits of the last digit that stand for nothing.
    const std::string head = R"({"alg":"RS256","kid":"k1"} )";
    std::string loose = base64url(head);
    ASSERT_EQ(head.size() % 3, 0u);
    EXPECT_FALSE(head_is_refused(loose + token.substr(dot)));
    loose = base64url(head + " ");
    loose.back() = static_cast<char>(loose.back() + 1);
    EXPECT_TRUE(head_is_refused(loose + token.substr(dot)));
    EXPECT_TRUE(head_is_refused(base64url("[]") + token.substr(dot)));
    EXPECT_TRUE(head_is_refused(base64url("\xEF\xBB\xBF" + head) + token.substr(dot)));
}

TEST(Jwt, Types) {
    Made made;
    for (const char *good : {"at+jwt", "AT+JWT", "application/at+jwt"}) {
        made.header["typ"] = quoted(good);
        EXPECT_EQ(made.verify(), TokenFault::none) << good;
    }
    for (const char *bad : {"\"JWT\"", "\"logout+jwt\"", "\"\"", "1", ""}) {
        made.header["typ"] = bad;
        EXPECT_EQ(made.verify(), TokenFault::type) << bad;
    }
}

TEST(Jwt, Audiences) {
    EXPECT_EQ(fault_with("aud", "[\"other\",\"aegis\"]"), TokenFault::none);
    EXPECT_EQ(fault_with("aud", quoted("other")), TokenFault::audience);
    EXPECT_EQ(fault_with("aud", quoted("aegis2")), TokenFault::audience);
    EXPECT_EQ(fault_with("aud", "[]"), TokenFault::audience);
    EXPECT_EQ(fault_with("aud", ""), TokenFault::audience);
    EXPECT_EQ(fault_with("aud", "[1,\"aegis\"]"), TokenFault::claims);
    EXPECT_EQ(fault_with("aud", "{\"aegis\":1}"), TokenFault::claims);
    // One that is for somebody, when nobody is named here, is for somebody else.
    Made made;
    made.audiences = {};
    EXPECT_EQ(made.verify(), TokenFault::audience);
}

TEST(Jwt, Parties) {
    Made made;
    made.parties = {"client-1", "client-2"};
    EXPECT_EQ(made.verify(), TokenFault::party);
    made.claims["azp"] = quoted("client-2");
    EXPECT_EQ(made.verify(), TokenFault::none);
    for (const char *bad : {"\"client-3\"", "[\"client-2\"]", "\"\"", "null"}) {
        made.claims["azp"] = bad;
        EXPECT_EQ(made.verify(), TokenFault::party) << bad;
    }
}

TEST(Jwt, Times) {
    EXPECT_EQ(fault_with("exp", ""), TokenFault::claims);
    EXPECT_EQ(fault_with("exp", quoted("1800000000")), TokenFault::claims);
    EXPECT_EQ(fault_with("exp", "1e300"), TokenFault::claims);
    EXPECT_EQ(fault_with("exp", "-1"), TokenFault::claims);
    EXPECT_EQ(fault_with("exp", "9223372036854775807"), TokenFault::claims);
    EXPECT_EQ(fault_with("iat", ""), TokenFault::claims);
    EXPECT_EQ(fault_with("iat", "null"), TokenFault::claims);
    EXPECT_EQ(fault_with("nbf", quoted("0")), TokenFault::claims);
    EXPECT_EQ(fault_with("exp", std::to_string(kNow - 4)), TokenFault::none);
    EXPECT_EQ(fault_with("exp", std::to_string(kNow - 5)), TokenFault::expired);
    EXPECT_EQ(fault_with("exp", std::to_string(kNow + 60) + ".5"), TokenFault::none);
    EXPECT_EQ(fault_with("nbf", std::to_string(kNow + 5)), TokenFault::none);
    EXPECT_EQ(fault_with("nbf", std::to_string(kNow + 6)), TokenFault::not_yet);
    EXPECT_EQ(fault_with("iat", std::to_string(kNow + 5)), TokenFault::none);
    EXPECT_EQ(fault_with("iat", std::to_string(kNow + 6)), TokenFault::not_yet);
    EXPECT_EQ(fault_with("auth_time", std::to_string(kNow + 5)), TokenFault::none);
    EXPECT_EQ(fault_with("auth_time", std::to_string(kNow + 6)), TokenFault::not_yet);
    EXPECT_EQ(fault_with("auth_time", "253402300799"), TokenFault::not_yet);
    EXPECT_EQ(fault_with("exp", std::to_string(kNow - 10 + kMaxTokenSeconds)), TokenFault::none);
    EXPECT_EQ(fault_with("exp", std::to_string(kNow - 9 + kMaxTokenSeconds)), TokenFault::lifetime);
}

TEST(Jwt, WhoAndWhichSession) {
    for (const char *bad : {"", "\"\"", "1", "[\"subject-1\"]", "\"a\\nb\""}) {
        EXPECT_EQ(fault_with("sub", bad), TokenFault::subject) << bad;
        EXPECT_EQ(fault_with("sid", bad), TokenFault::session) << bad;
    }
    EXPECT_EQ(fault_with("sub", quoted(std::string(255, 's'))), TokenFault::none);
    EXPECT_EQ(fault_with("sub", quoted(std::string(256, 's'))), TokenFault::subject);
    EXPECT_EQ(fault_with("sid", quoted(std::string(129, 's'))), TokenFault::session);
    EXPECT_EQ(fault_with("act", "{\"sub\":\"support\"}"), TokenFault::actor);
    EXPECT_EQ(fault_with("iss", quoted("https://issuer.example/")), TokenFault::issuer);
}

TEST(Jwt, NoncesOfASignIn) {
    Made made;
    made.nonce = "n-1";
    EXPECT_EQ(made.verify(), TokenFault::nonce);
    made.claims["nonce"] = quoted("n-2");
    EXPECT_EQ(made.verify(), TokenFault::nonce);
    made.claims["nonce"] = quoted("n-1");
    EXPECT_EQ(made.verify(), TokenFault::none);
}

TEST(Jwt, RolesGiveTheHighestRankThatIsMapped) {
    Made made;
    made.claims["roles"] = quoted("reader");
    EXPECT_EQ(made.verify(), TokenFault::none);
    EXPECT_EQ(made.read.rank, 1);
    made.claims["roles"] = "[\"owner\"]";
    EXPECT_EQ(made.verify(), TokenFault::none);
    EXPECT_EQ(made.read.rank, 0);
    made.claims["roles"] = quoted("*");  // a role that only the operator may name
    made.roles = {{"*", 4}, {"reader", 1}};
    made.claims["roles"] = "";
    EXPECT_EQ(made.verify(), TokenFault::none);
    EXPECT_EQ(made.read.rank, 4);
    made.roles = {{"reader", 1}};
    made.claims["roles"] = quoted("*");
    EXPECT_EQ(made.verify(), TokenFault::none);
    EXPECT_EQ(made.read.rank, 0);
    made.claims["roles"] = "{\"reader\":true}";
    EXPECT_EQ(made.verify(), TokenFault::claims);
    EXPECT_EQ(fault_with("org", "[\"acme\"]"), TokenFault::claims);
    EXPECT_EQ(fault_with("org", quoted(std::string(129, 'o'))), TokenFault::claims);
    Made nested;
    nested.role = {"realm_access", "roles"};
    nested.claims["realm_access"] = "{\"roles\":[\"boss\"]}";
    EXPECT_EQ(nested.verify(), TokenFault::none);
    EXPECT_EQ(nested.read.rank, 3);
}

TEST(Jwt, ClerkVersionOneAndTwoGiveTheSame) {
    Made one = clerk({{"org_id", quoted("org_9")}, {"org_role", quoted("org:admin")}});
    Made two = clerk({{"v", "2"},
                      {"o", R"({"id":"org_9","slg":"acme","rol":"admin","per":"read","fpm":"3"})"},
                      {"fva", "[2,-1]"},
                      {"sts", quoted("active")}});
    for (Made *made : {&one, &two}) {
        ASSERT_EQ(made->verify(), TokenFault::none);
        EXPECT_STREQ(made->read.organisation, "org_9");
        EXPECT_EQ(made->read.rank, 4);
        EXPECT_FALSE(made->read.second_factor);
    }
    EXPECT_EQ(one.read.authenticated_at, 0);
    EXPECT_EQ(two.read.authenticated_at, kNow - 10 - 120);
    two.claims["fva"] = "[2,0]";
    EXPECT_EQ(two.verify(), TokenFault::none);
    EXPECT_TRUE(two.read.second_factor);
}

TEST(Jwt, ClerkTokensThatAreNotTaken) {
    // Of a template: the same keys, no session.
    EXPECT_EQ(clerk({{"sid", ""}}).verify(), TokenFault::session);
    EXPECT_EQ(clerk({{"azp", ""}}).verify(), TokenFault::party);
    EXPECT_EQ(clerk({{"aud", quoted("convex")}}).verify(), TokenFault::audience);
    EXPECT_EQ(clerk({{"sts", quoted("pending")}}).verify(), TokenFault::pending);
    EXPECT_EQ(clerk({{"act", R"({"iss":"x","sid":"y","sub":"z"})"}}).verify(), TokenFault::actor);
    EXPECT_EQ(clerk({{"v", "3"}}).verify(), TokenFault::claims);
    EXPECT_EQ(clerk({{"v", "2"}, {"o", "{}"}}).verify(), TokenFault::claims);
    EXPECT_EQ(clerk({{"fva", "[1]"}}).verify(), TokenFault::claims);
    EXPECT_EQ(clerk({{"fva", "[\"1\",0]"}}).verify(), TokenFault::claims);
    // Version 2 does not read what version 1 would have meant.
    Made mixed =
        clerk({{"v", "2"}, {"org_id", quoted("org_9")}, {"org_role", quoted("org:admin")}});
    EXPECT_EQ(mixed.verify(), TokenFault::none);
    EXPECT_STREQ(mixed.read.organisation, "");
    EXPECT_EQ(mixed.read.rank, 0);
}

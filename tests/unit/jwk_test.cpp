// SPDX-License-Identifier: Apache-2.0
// Vectors of RFC 7515, 7638 and 8037, and keys that must not be taken.
#include "core/jwk.hpp"

#include "jose.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

constexpr char kClaims[] =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

// RFC 7515, appendix A.2.
constexpr char kRsaN[] =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbBYUs"
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWNmoud"
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr char kRsaSignature[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujG"
    "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
// RFC 7515, appendix A.3.
constexpr char kEcX[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr char kEcY[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
constexpr char kEcSignature[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
// RFC 8037, appendix A.
constexpr char kEdX[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
constexpr char kEdSignature[] =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

std::string rsa(const std::string &n = kRsaN, const std::string &e = "AQAB") {
    return R"({"kty":"RSA","n":")" + n + R"(","e":")" + e + R"("})";
}
std::string ec(const std::string &x = kEcX, const std::string &y = kEcY) {
    return R"({"kty":"EC","crv":"P-256","x":")" + x + R"(","y":")" + y + R"("})";
}
std::string ed(const std::string &x = kEdX) {
    return R"({"kty":"OKP","crv":"Ed25519","x":")" + x + R"("})";
}
// The key with more members in front.
std::string with(const std::string &members, const std::string &jwk) {
    return "{" + members + "," + jwk.substr(1);
}

bool is_refused(const std::string &jwk) {
    return refused([&] { parse_jwk(jwk); });
}

Bytes decoded(std::string_view digits) {
    Bytes bytes(base64url_decoded_size(digits));
    from_base64url(digits, span(bytes));
    return bytes;
}

void verify(const std::string &jwk, JwsAlgorithm algorithm, const std::string &message,
            const Bytes &signature) {
    verify_with_jwk(parse_jwk(jwk).canonical, algorithm, as_bytes(message), view(signature));
}

bool verifies(const std::string &jwk, JwsAlgorithm algorithm, const std::string &message,
              const Bytes &signature) {
    return !refused([&] { verify(jwk, algorithm, message, signature); });
}

struct Published {
    JwsAlgorithm algorithm;
    std::string jwk, message;
    const char *signature;
};

std::vector<Published> published() {
    return {
        {JwsAlgorithm::rs256, rsa(), std::string("eyJhbGciOiJSUzI1NiJ9.") + kClaims, kRsaSignature},
        {JwsAlgorithm::es256, ec(), std::string("eyJhbGciOiJFUzI1NiJ9.") + kClaims, kEcSignature},
        {JwsAlgorithm::eddsa, ed(), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         kEdSignature}};
}

}  // namespace

TEST(Jwk, PublishedSignaturesVerifyAndChangedOnesDoNot) {
    for (const Published &one : published()) {
        const Bytes signature = decoded(one.signature);
        EXPECT_NO_THROW(verify(one.jwk, one.algorithm, one.message, signature));
        EXPECT_FALSE(verifies(one.jwk, one.algorithm, one.message + "x", signature));
        EXPECT_FALSE(verifies(one.jwk, one.algorithm, one.message, {}));
        for (size_t at : {size_t{0}, signature.size() / 2, signature.size() - 1}) {
            Bytes changed = signature;
            changed[at] ^= 1;
            EXPECT_FALSE(verifies(one.jwk, one.algorithm, one.message, changed));
        }
        Bytes longer = signature;
        longer.push_back(0);
        EXPECT_FALSE(verifies(one.jwk, one.algorithm, one.message, longer));
    }
}

TEST(Jwk, NoSignatureVerifiesUnderAnotherAlgorithm) {
    for (const Published &one : published())
        for (JwsAlgorithm other :
             {JwsAlgorithm::rs256, JwsAlgorithm::ps256, JwsAlgorithm::es256, JwsAlgorithm::eddsa})
            EXPECT_EQ(verifies(one.jwk, other, one.message, decoded(one.signature)),
                      other == one.algorithm);
}

TEST(Jwk, SignaturesOfZeroAndInDerAreRefused) {
    const std::string message = std::string("eyJhbGciOiJFUzI1NiJ9.") + kClaims;
    EXPECT_FALSE(verifies(ec(), JwsAlgorithm::es256, message, Bytes(64)));
    Bytes half = decoded(kEcSignature);
    std::fill(half.begin() + 32, half.end(), uint8_t{0});
    EXPECT_FALSE(verifies(ec(), JwsAlgorithm::es256, message, half));
    Bytes der = from_hex("3046022100");  // as a library that does not know JOSE would write it
    const Bytes raw = decoded(kEcSignature);
    der.insert(der.end(), raw.begin(), raw.begin() + 32);
    for (uint8_t byte : {0x02, 0x21, 0x00}) der.push_back(byte);
    der.insert(der.end(), raw.begin() + 32, raw.end());
    EXPECT_FALSE(verifies(ec(), JwsAlgorithm::es256, message, der));
}

TEST(Jwk, PssHasASaltAsLongAsTheDigest) {
    const SigningKey key = SigningKey::rsa(2048);
    const std::string jwk = with(R"("alg":"PS256")", "{" + key.members() + "}");
    EXPECT_EQ(parse_jwk(jwk).algorithm, JwsAlgorithm::ps256);
    EXPECT_TRUE(verifies(jwk, JwsAlgorithm::ps256, "message", decoded(key.sign("message", 32))));
    EXPECT_FALSE(verifies(jwk, JwsAlgorithm::ps256, "message", decoded(key.sign("message", 0))));
    EXPECT_FALSE(verifies(jwk, JwsAlgorithm::ps256, "message", decoded(key.sign("message", 20))));
    EXPECT_FALSE(verifies(jwk, JwsAlgorithm::ps256, "message", decoded(key.sign("message"))));
    EXPECT_FALSE(verifies(jwk, JwsAlgorithm::rs256, "message", decoded(key.sign("message", 32))));
}

TEST(Jwk, ThumbprintsAreThosePublished) {
    const std::string n =
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
        "BJECPebWKR"
        "XjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAta"
        "Sqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
        "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksI"
        "NHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const PublicJwk of_rfc_7638 = parse_jwk(with(R"("alg":"RS256","kid":"2011-04-29")", rsa(n)));
    EXPECT_EQ(of_rfc_7638.kid, "2011-04-29");
    EXPECT_EQ(base64url(jwk_thumbprint(of_rfc_7638.canonical).view()),
              "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EXPECT_EQ(base64url(jwk_thumbprint(parse_jwk(ed()).canonical).view()),
              "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(Jwk, AKeyHasOneAlgorithm) {
    EXPECT_EQ(parse_jwk(rsa()).algorithm, JwsAlgorithm::rs256);
    EXPECT_EQ(parse_jwk(ec()).algorithm, JwsAlgorithm::es256);
    EXPECT_EQ(parse_jwk(ed()).algorithm, JwsAlgorithm::eddsa);
    for (const char *other :
         {"none", "HS256", "RS512", "RS1", "ES384", "ES256", "EdDSA", "rs256", ""})
        EXPECT_TRUE(is_refused(with(R"("alg":")" + std::string(other) + '"', rsa()))) << other;
    EXPECT_TRUE(is_refused(with(R"("alg":"RS256")", ec())));
    EXPECT_TRUE(is_refused(with(R"("alg":"PS256")", ed())));
    EXPECT_TRUE(is_refused(with(R"("alg":1)", rsa())));
}

TEST(Jwk, RefusesWhatIsNoPublicKeyThatVerifies) {
    EXPECT_TRUE(is_refused("{}"));
    EXPECT_TRUE(is_refused("[]"));
    EXPECT_TRUE(is_refused(R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"})"));
    EXPECT_TRUE(is_refused(with(R"("use":"enc")", rsa())));
    EXPECT_TRUE(is_refused(with(R"("key_ops":["encrypt"])", rsa())));
    EXPECT_FALSE(is_refused(with(R"("use":"sig","key_ops":["verify"],"x5c":["ignored"])", rsa())));
    EXPECT_TRUE(is_refused(with(R"("d":"AQAB")", rsa())));
    EXPECT_TRUE(is_refused(with(R"("kty":"RSA")", rsa())));  // twice
    EXPECT_TRUE(is_refused(with(R"("kid":"")", rsa())));
    EXPECT_TRUE(is_refused(with(R"("kid":"../../etc/passwd")", rsa())));
    EXPECT_TRUE(is_refused(with(R"("kid":"a' or 1=1")", rsa())));
    EXPECT_TRUE(is_refused(with("\"kid\":\"" + std::string(129, 'a') + '"', rsa())));
    EXPECT_TRUE(is_refused(rsa(kRsaN, "AQ")));      // 1
    EXPECT_TRUE(is_refused(rsa(kRsaN, "Ag")));      // 2
    EXPECT_TRUE(is_refused(rsa(kRsaN, "AAEAAQ")));  // a leading zero
    EXPECT_TRUE(is_refused(rsa(kRsaN, "AQAB==")));  // padding
    EXPECT_TRUE(is_refused(rsa("AAAA" + std::string(kRsaN))));
    EXPECT_TRUE(is_refused("{" + SigningKey::rsa(1024).members() + "}"));
    EXPECT_TRUE(is_refused("{" + SigningKey::ec("P-384").members() + "}"));
    EXPECT_TRUE(is_refused(ec(kEcX, kEcX)));  // not on the curve
    EXPECT_TRUE(is_refused(ec("AA" + std::string(kEcX), kEcY)));
    EXPECT_TRUE(is_refused(ed("AAAA")));
    EXPECT_TRUE(is_refused(R"({"kty":"OKP","crv":"X25519","x":")" + std::string(kEdX) + R"("})"));
}

TEST(Jwk, ASetHoldsOtherKeysToo) {
    const auto set = [](const std::string &keys) { return R"({"keys":[)" + keys + "]}"; };
    const std::string good = with(R"("kid":"b")", ed()), other = with(R"("kid":"a")", ec());
    EXPECT_EQ(parse_jwks(set("")).size(), 0u);
    const std::vector<PublicJwk> keys =
        parse_jwks(set(good + R"(,{"kty":"oct","kid":"c","k":"AAAA"},)" + rsa() + ",7," + other));
    ASSERT_EQ(keys.size(), 2u);  // the one without an id could not be named
    EXPECT_EQ(keys[0].kid, "a");
    EXPECT_EQ(keys[1].kid, "b");
    EXPECT_TRUE(refused([&] { parse_jwks(set(good + "," + with(R"("kid":"b")", ec()))); }));
    EXPECT_TRUE(refused([&] { parse_jwks("[]"); }));
    EXPECT_TRUE(refused([&] { parse_jwks("{}"); }));
    EXPECT_TRUE(refused([&] { parse_jwks(R"({"keys":{}})"); }));
    EXPECT_TRUE(refused([&] { parse_jwks(set("") + std::string(kMaxJwksBytes, ' ')); }));
    std::string many = "0";
    for (size_t i = 0; i < kMaxJwksKeys; ++i) many += ",0";
    EXPECT_TRUE(refused([&] { parse_jwks(set(many)); }));
}

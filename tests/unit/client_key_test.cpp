// SPDX-License-Identifier: Apache-2.0
#include "core/client_key.hpp"

#include "core/json.hpp"
#include "core/jwk.hpp"
#include "jose.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

Bytes made() {
    Bytes key(kMaxClientKeyBytes);
    key.resize(make_client_key(span(key)));
    return key;
}

std::string decoded(std::string_view digits) {
    std::string bytes(base64url_decoded_size(digits), '\0');
    from_base64url(digits, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    return bytes;
}

}  // namespace

TEST(ClientKey, AssertionsVerifyUnderItsPublicKeyAlone) {
    const Bytes key = made(), other = made();
    const std::string token =
        sign_client_assertion(view(key), "app", "https://a.example", 1700000000);
    const size_t first = token.find('.'), last = token.rfind('.');
    const std::string signature = decoded(token.substr(last + 1));
    const auto verify = [&](const Bytes &by) {
        verify_with_jwk(parse_jwk(client_key_jwk(view(by))).canonical, JwsAlgorithm::es256,
                        as_bytes(token.substr(0, last)), as_bytes(signature));
    };
    EXPECT_NO_THROW(verify(key));
    EXPECT_TRUE(refused([&] { verify(other); }));
    const std::string head = decoded(token.substr(0, first)),
                      body = decoded(token.substr(first + 1, last - first - 1));
    const JsonDocument header(head), claims(body);
    EXPECT_EQ(header.root().member("alg")->text(), "ES256");
    EXPECT_EQ(header.root().member("kid")->text(), parse_jwk(client_key_jwk(view(key))).kid);
    EXPECT_EQ(claims.root().member("iss")->text(), "app");
    EXPECT_EQ(claims.root().member("sub")->text(), "app");
    EXPECT_EQ(claims.root().member("aud")->text(), "https://a.example");
    EXPECT_EQ(claims.root().member("exp")->whole(), 1700000060);
    EXPECT_NE(token, sign_client_assertion(view(key), "app", "https://a.example", 1700000000));
}

TEST(ClientKey, RefusesWhatIsNoKeyAndWhatWouldNeedQuoting) {
    Bytes key = made();
    EXPECT_TRUE(refused([&] { sign_client_assertion(view(key), "a\"b", "c", 1); }));
    EXPECT_TRUE(refused([&] { sign_client_assertion(view(key), "a", "b\\", 1); }));
    key.push_back(0);
    EXPECT_TRUE(refused([&] { client_key_jwk(view(key)); }));
    EXPECT_TRUE(refused([&] { client_key_jwk({}); }));
}

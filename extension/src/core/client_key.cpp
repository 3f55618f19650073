// SPDX-License-Identifier: Apache-2.0
#include "core/client_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/x509.h>

#include "core/encoding.hpp"
#include "core/jwk.hpp"
#include "core/openssl.hpp"
#include "core/random.hpp"

namespace aegis::core {

namespace {

constexpr size_t kCoordinateBytes = 32;
constexpr size_t kIdBytes = 16;

template <auto release>
struct Release {
    template <typename T>
    void operator()(T *object) const noexcept {
        release(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using Number = std::unique_ptr<BIGNUM, Release<BN_clear_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

std::string encoded(ByteView bytes) {
    std::string text(base64url_size(bytes.size), '\0');
    to_base64url(bytes, text.data());
    return text;
}

Key read(ByteView der) {
    const uint8_t *at = der.data;
    Key key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size)));
    if (!key || at != der.data + der.size || EVP_PKEY_is_a(key.get(), "EC") != 1)
        fail(Code::malformed, "not the key of a client");
    return key;
}

std::string coordinate(const Key &key, const char *name) {
    BIGNUM *value = nullptr;
    const int done = EVP_PKEY_get_bn_param(key.get(), name, &value);
    const Number held(value);
    uint8_t bytes[kCoordinateBytes];
    if (done != 1 || BN_bn2binpad(value, bytes, sizeof bytes) != static_cast<int>(sizeof bytes))
        fail(Code::crypto_failure, "could not read a public key");
    return encoded(bytes);
}

std::string canonical(const Key &key) {
    return R"({"crv":"P-256","kty":"EC","x":")" + coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X) +
           R"(","y":")" + coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y) + R"("})";
}

// r and s behind each other (RFC 7518 section 3.4).
std::string sign(const Key &key, std::string_view message) {
    const MdContext context(EVP_MD_CTX_new());
    uint8_t der[128];
    size_t size = sizeof der;
    if (!context ||
        EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key.get(),
                              nullptr) != 1 ||
        EVP_DigestSign(context.get(), der, &size, as_bytes(message).data, message.size()) != 1)
        fail(Code::crypto_failure, "could not sign");
    const uint8_t *at = der;
    const Signature read(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
    uint8_t raw[2 * kCoordinateBytes];
    if (!read || BN_bn2binpad(ECDSA_SIG_get0_r(read.get()), raw, kCoordinateBytes) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(read.get()), raw + kCoordinateBytes, kCoordinateBytes) < 0)
        fail(Code::crypto_failure, "could not write a signature");
    return encoded(raw);
}

// What operators register is printable ASCII without these two; anything else would need quoting.
void require_plain(std::string_view text) {
    for (char c : text)
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            throw Error{Code::invalid_argument, "a client or audience is not plain text"};
}

}  // namespace

size_t make_client_key(ByteSpan out) {
    const Key key(EVP_EC_gen("P-256"));
    if (!key) fail(Code::crypto_failure, "could not make a key");
    const int size = i2d_PrivateKey(key.get(), nullptr);
    if (size <= 0 || static_cast<size_t>(size) > out.size)
        fail(Code::crypto_failure, "could not write a key");
    uint8_t *at = out.data;
    if (i2d_PrivateKey(key.get(), &at) != size) fail(Code::crypto_failure, "could not write a key");
    return static_cast<size_t>(size);
}

std::string client_key_jwk(ByteView der) {
    const Key key = read(der);
    std::string jwk = canonical(key);
    const std::string kid = encoded(jwk_thumbprint(jwk).view());
    jwk.pop_back();
    return jwk + R"(,"kid":")" + kid + R"(","alg":"ES256","use":"sig"})";
}

std::string sign_client_assertion(ByteView der, std::string_view client, std::string_view audience,
                                  int64_t now) {
    require_plain(client);
    require_plain(audience);
    const Key key = read(der);
    uint8_t id[kIdBytes];
    random_nonce(id);
    const std::string name(client);
    const std::string header =
        R"({"alg":"ES256","kid":")" + encoded(jwk_thumbprint(canonical(key)).view()) + R"("})";
    const std::string claims = R"({"iss":")" + name + R"(","sub":")" + name + R"(","aud":")" +
                               std::string(audience) + R"(","jti":")" + encoded(id) +
                               R"(","iat":)" + std::to_string(now) + R"(,"exp":)" +
                               std::to_string(now + kAssertionSeconds) + "}";
    const std::string message = encoded(as_bytes(header)) + "." + encoded(as_bytes(claims));
    return message + "." + sign(key, message);
}

}  // namespace aegis::core

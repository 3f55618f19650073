// SPDX-License-Identifier: Apache-2.0
#include "core/jwk.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <optional>

#include "core/encoding.hpp"
#include "core/json.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 8192;
constexpr size_t kMostExponentBytes = 8;
constexpr size_t kCoordinateBytes = 32;  // of P-256
constexpr size_t kEd25519KeyBytes = 32;

template <auto release>
struct Release {
    template <typename T>
    void operator()(T *object) const noexcept {
        release(object);
    }
};
void free_bytes(uint8_t *bytes) {
    OPENSSL_free(bytes);
}

using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

[[noreturn]] void refuse() {
    fail(Code::malformed, "not a public key that can verify");
}

void require(bool holds) {
    if (!holds) refuse();
}

std::string text_of(const JsonValue &object, std::string_view name) {
    const std::optional<JsonValue> member = object.member(name);
    require(member && member->text());
    return std::string(*member->text());
}

std::vector<uint8_t> bytes_of(std::string_view digits) {
    std::vector<uint8_t> bytes(base64url_decoded_size(digits));
    from_base64url(digits, {bytes.data(), bytes.size()});
    return bytes;
}

// Base64urlUInt of RFC 7518: as few bytes as hold it.
Number number_of(std::string_view digits, size_t most_bytes) {
    const std::vector<uint8_t> bytes = bytes_of(digits);
    require(!bytes.empty() && bytes[0] != 0 && bytes.size() <= most_bytes);
    Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    if (!number) fail(Code::crypto_failure, "could not read a number");
    return number;
}

Key key_of(const char *type, OSSL_PARAM_BLD *builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1)
        fail(Code::crypto_failure, "could not make a public key");
    EVP_PKEY *made = nullptr;
    const int done = EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get());
    Key key(made);
    require(done == 1 && key);
    return key;
}

Key rsa_key(std::string_view n, std::string_view e) {
    const Number modulus = number_of(n, kMostRsaBits / 8);
    const Number exponent = number_of(e, kMostExponentBytes);
    require(BN_num_bits(modulus.get()) >= kLeastRsaBits && BN_is_odd(modulus.get()) == 1 &&
            BN_is_odd(exponent.get()) == 1 && BN_is_one(exponent.get()) == 0);
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        fail(Code::crypto_failure, "could not make a public key");
    return key_of("RSA", builder.get());
}

Key p256_key(std::string_view x, std::string_view y) {
    std::vector<uint8_t> point = {POINT_CONVERSION_UNCOMPRESSED};
    for (std::string_view coordinate : {x, y}) {
        const std::vector<uint8_t> bytes = bytes_of(coordinate);
        require(bytes.size() == kCoordinateBytes);
        point.insert(point.end(), bytes.begin(), bytes.end());
    }
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        fail(Code::crypto_failure, "could not make a public key");
    Key key = key_of("EC", builder.get());  // refuses a point that is not on the curve
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    require(context && EVP_PKEY_public_check(context.get()) == 1);
    return key;
}

Key ed25519_key(std::string_view x) {
    const std::vector<uint8_t> bytes = bytes_of(x);
    require(bytes.size() == kEd25519KeyBytes);
    Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
    require(key != nullptr);
    return key;
}

struct Material {
    Key key;
    std::string canonical;
    JwsAlgorithm usual;  // when it names none
};

// Every value was read as base64url or is a literal, so none needs quoting.
Material material_of(const JsonValue &jwk) {
    const std::string type = text_of(jwk, "kty");
    if (type == "RSA") {
        const std::string n = text_of(jwk, "n"), e = text_of(jwk, "e");
        return {rsa_key(n, e), R"({"e":")" + e + R"(","kty":"RSA","n":")" + n + R"("})",
                JwsAlgorithm::rs256};
    }
    const std::string curve = text_of(jwk, "crv"), x = text_of(jwk, "x");
    if (type == "EC" && curve == "P-256") {
        const std::string y = text_of(jwk, "y");
        return {p256_key(x, y),
                R"({"crv":"P-256","kty":"EC","x":")" + x + R"(","y":")" + y + R"("})",
                JwsAlgorithm::es256};
    }
    require(type == "OKP" && curve == "Ed25519");
    return {ed25519_key(x), R"({"crv":"Ed25519","kty":"OKP","x":")" + x + R"("})",
            JwsAlgorithm::eddsa};
}

bool fits(JwsAlgorithm usual, JwsAlgorithm algorithm) {
    return algorithm == usual || (usual == JwsAlgorithm::rs256 && algorithm == JwsAlgorithm::ps256);
}

bool may_verify(const JsonValue &jwk) {
    const std::optional<JsonValue> use = jwk.member("use"), operations = jwk.member("key_ops");
    if (use && use->text() != std::optional<std::string_view>("sig")) return false;
    if (!operations) return true;
    for (size_t i = 0; i < operations->size(); ++i)
        if (operations->item(i).text() == std::optional<std::string_view>("verify")) return true;
    return false;
}

PublicJwk read(const JsonValue &jwk) {
    require(jwk.is_object() && may_verify(jwk));
    for (const char *secret : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
        require(!jwk.member(secret));
    const Material material = material_of(jwk);
    require(material.canonical.size() <= kMaxJwkBytes);
    PublicJwk read{"", material.usual, material.canonical};
    if (jwk.member("alg")) read.algorithm = parse_jws_algorithm(text_of(jwk, "alg"));
    require(fits(material.usual, read.algorithm));
    if (jwk.member("kid")) read.kid = text_of(jwk, "kid");
    require(read.kid.empty() ? !jwk.member("kid") : is_kid(read.kid));
    return read;
}

// r and s behind each other, as JOSE has them, to the DER that libcrypto wants.
std::vector<uint8_t> der_of(ByteView signature) {
    const EcdsaSignature made(ECDSA_SIG_new());
    Number r(BN_bin2bn(signature.data, kCoordinateBytes, nullptr));
    Number s(BN_bin2bn(signature.data + kCoordinateBytes, kCoordinateBytes, nullptr));
    if (!made || !r || !s || ECDSA_SIG_set0(made.get(), r.get(), s.get()) != 1)
        fail(Code::crypto_failure, "could not read a signature");
    (void)r.release();  // they belong to the signature now
    (void)s.release();
    uint8_t *out = nullptr;
    const int size = i2d_ECDSA_SIG(made.get(), &out);
    if (size <= 0) fail(Code::crypto_failure, "could not write a signature");
    const std::unique_ptr<uint8_t, Release<free_bytes>> held(out);
    return {out, out + size};
}

void begin(EVP_MD_CTX *context, EVP_PKEY *key, JwsAlgorithm algorithm) {
    EVP_PKEY_CTX *options = nullptr;
    const bool pure = algorithm == JwsAlgorithm::eddsa;
    bool done = EVP_DigestVerifyInit_ex(context, &options, pure ? nullptr : "SHA256", nullptr,
                                        nullptr, key, nullptr) == 1;
    if (algorithm == JwsAlgorithm::rs256)
        done = done && EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PADDING) == 1;
    if (algorithm == JwsAlgorithm::ps256)  // RFC 7518 section 3.5
        done = done && EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md_name(options, "SHA256", nullptr) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (!done) fail(Code::crypto_failure, "could not begin to verify a signature");
}

}  // namespace

std::string_view jws_algorithm_name(JwsAlgorithm algorithm) noexcept {
    switch (algorithm) {
        case JwsAlgorithm::rs256:
            return "RS256";
        case JwsAlgorithm::ps256:
            return "PS256";
        case JwsAlgorithm::es256:
            return "ES256";
        case JwsAlgorithm::eddsa:
            return "EdDSA";
    }
    return {};
}

JwsAlgorithm parse_jws_algorithm(std::string_view name) {
    for (JwsAlgorithm algorithm :
         {JwsAlgorithm::rs256, JwsAlgorithm::ps256, JwsAlgorithm::es256, JwsAlgorithm::eddsa})
        if (name == jws_algorithm_name(algorithm)) return algorithm;
    throw Error{Code::malformed, "not an algorithm that is taken"};
}

bool is_kid(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxKidBytes &&
           text.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               "0123456789._~-") == std::string_view::npos;
}

PublicJwk parse_jwk(std::string_view json) {
    if (json.size() > kMaxJwksBytes) throw Error{Code::too_long, "a key is too long"};
    const JsonDocument document(json);
    return read(document.root());
}

std::vector<PublicJwk> parse_jwks(std::string_view json) {
    if (json.size() > kMaxJwksBytes) throw Error{Code::too_long, "a set of keys is too long"};
    const JsonDocument document(json);
    const std::optional<JsonValue> list = document.root().member("keys");
    if (!list || !list->is_array() || list->size() > kMaxJwksKeys)
        throw Error{Code::malformed, "not a set of keys"};
    std::vector<PublicJwk> keys;
    for (size_t i = 0; i < list->size(); ++i) {
        try {
            PublicJwk key = read(list->item(i));
            if (!key.kid.empty()) keys.push_back(std::move(key));
        } catch (const Error &error) {
            // Sets hold keys for other purposes, too (RFC 7517 section 5).
            if (error.code != Code::malformed) throw;
        }
    }
    std::sort(keys.begin(), keys.end(),
              [](const PublicJwk &a, const PublicJwk &b) { return a.kid < b.kid; });
    for (size_t i = 1; i < keys.size(); ++i)
        if (keys[i - 1].kid == keys[i].kid)
            throw Error{Code::malformed, "two keys of a set have one id"};
    return keys;
}

Digest jwk_thumbprint(std::string_view canonical) {
    return sha256(as_bytes(canonical));
}

void verify_with_jwk(std::string_view canonical, JwsAlgorithm algorithm, ByteView message,
                     ByteView signature) {
    const JsonDocument document(canonical);
    const Material material = material_of(document.root());
    require(fits(material.usual, algorithm));
    std::vector<uint8_t> der;
    if (algorithm == JwsAlgorithm::es256) {
        if (signature.size != 2 * kCoordinateBytes)
            fail(Code::cannot_open, "the signature is not of this key");
        der = der_of(signature);
        signature = {der.data(), der.size()};
    }
    const MdContext context(EVP_MD_CTX_new());
    if (!context) fail(Code::crypto_failure, "could not begin to verify a signature");
    begin(context.get(), material.key.get(), algorithm);
    if (EVP_DigestVerify(context.get(), signature.data, signature.size, message.data,
                         message.size) != 1)
        fail(Code::cannot_open, "the signature is not of this key");
}

}  // namespace aegis::core

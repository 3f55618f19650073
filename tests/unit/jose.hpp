// SPDX-License-Identifier: Apache-2.0
// Keys made for one run of the tests, and what an identity provider does with them.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

#include "bytes_of.hpp"
#include "core/encoding.hpp"

namespace aegis::test {

inline std::string base64url(core::ByteView bytes) {
    std::string text(core::base64url_size(bytes.size), '?');
    core::to_base64url(bytes, text.data());
    return text;
}

inline std::string base64url(std::string_view text) {
    return base64url(core::as_bytes(text));
}

class SigningKey {
 public:
    static SigningKey rsa(unsigned bits) { return SigningKey(EVP_RSA_gen(bits)); }
    static SigningKey ec(const char *curve) { return SigningKey(EVP_EC_gen(curve)); }
    static SigningKey ed25519() {
        return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    }

    // Members of its JWK, without braces.
    std::string members() const {
        if (EVP_PKEY_is_a(key_.get(), "RSA"))
            return R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
                   number(OSSL_PKEY_PARAM_RSA_E, 0) + '"';
        if (EVP_PKEY_is_a(key_.get(), "EC")) {
            char curve[32];
            size_t size = 0;
            EVP_PKEY_get_group_name(key_.get(), curve, sizeof curve, &size);
            const bool p256 = std::string(curve) == "prime256v1";
            const int bytes = p256 ? 32 : 48;
            return std::string(R"("kty":"EC","crv":")") + (p256 ? "P-256" : "P-384") +
                   R"(","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, bytes) + R"(","y":")" +
                   number(OSSL_PKEY_PARAM_EC_PUB_Y, bytes) + '"';
        }
        Bytes raw(32);
        size_t size = raw.size();
        EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size);
        return R"("kty":"OKP","crv":"Ed25519","x":")" + base64url(view(raw)) + '"';
    }

    // Over the two parts; `pss`: RSASSA-PSS with this length of the salt.
    std::string sign(const std::string &message, int pss_salt = -1) const {
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
        const bool pure = EVP_PKEY_is_a(key_.get(), "ED25519");
        EVP_PKEY_CTX *options = nullptr;
        EVP_DigestSignInit_ex(context.get(), &options, pure ? nullptr : "SHA256", nullptr, nullptr,
                              key_.get(), nullptr);
        if (pss_salt >= 0) {
            EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, pss_salt);
        }
        const auto *in = reinterpret_cast<const uint8_t *>(message.data());
        size_t size = 0;
        EVP_DigestSign(context.get(), nullptr, &size, in, message.size());
        Bytes signature(size);
        EVP_DigestSign(context.get(), signature.data(), &size, in, message.size());
        signature.resize(size);
        return base64url(view(EVP_PKEY_is_a(key_.get(), "EC") ? raw_of(signature) : signature));
    }

    std::string token(const std::string &header, const std::string &claims,
                      int pss_salt = -1) const {
        const std::string message = base64url(header) + "." + base64url(claims);
        return message + "." + sign(message, pss_salt);
    }

 private:
    explicit SigningKey(EVP_PKEY *key) : key_(key, EVP_PKEY_free) {}

    static Bytes raw_of(const Bytes &der) {
        const uint8_t *at = der.data();
        std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> read(
            d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
        Bytes raw(64);
        BN_bn2binpad(ECDSA_SIG_get0_r(read.get()), raw.data(), 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(read.get()), raw.data() + 32, 32);
        return raw;
    }

    std::string number(const char *name, int bytes) const {
        BIGNUM *read = nullptr;
        EVP_PKEY_get_bn_param(key_.get(), name, &read);
        std::unique_ptr<BIGNUM, decltype(&BN_free)> held(read, BN_free);
        Bytes out(static_cast<size_t>(bytes == 0 ? BN_num_bytes(read) : bytes));
        BN_bn2binpad(read, out.data(), static_cast<int>(out.size()));
        return base64url(view(out));
    }

    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

}  // namespace aegis::test

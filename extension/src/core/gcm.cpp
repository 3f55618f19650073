// SPDX-License-Identifier: Apache-2.0
#include "core/gcm.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace aegis::core {

namespace {

constexpr size_t kMaxUpdateBytes = size_t{1} << 30;  // libcrypto counts in int
constexpr uint64_t kMaxMessageBytes = (uint64_t{1} << 36) - 32;

const EVP_CIPHER *cipher_of(size_t key_bytes) {
    static EVP_CIPHER *const aes_256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    static EVP_CIPHER *const aes_128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
    return key_bytes == 32 ? aes_256 : aes_128;
}

// Feeds a span of any length; `out` is null for associated data.
bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, ByteView in) {
    for (size_t done = 0; done < in.size;) {
        const size_t rest = in.size - done;
        const size_t take = rest < kMaxUpdateBytes ? rest : kMaxUpdateBytes;
        int written = 0;
        if (EVP_CipherUpdate(ctx, out ? out + done : nullptr, &written, in.data + done,
                             static_cast<int>(take)) != 1)
            return false;
        done += take;
    }
    return true;
}

// The tag as parameter: without EVP_CIPHER_CTX_ctrl() in between, which makes the same of it each
// time.
struct TagParameter {
    OSSL_PARAM list[2];
    explicit TagParameter(uint8_t *tag)
        : list{OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kGcmTagBytes),
               OSSL_PARAM_construct_end()} {}
};

}  // namespace

Gcm::Gcm(size_t key_bytes) : context_(EVP_CIPHER_CTX_new()), key_bytes_(key_bytes) {
    const EVP_CIPHER *cipher = cipher_of(key_bytes);
    if (!context_ || !cipher ||
        EVP_EncryptInit_ex2(context_.get(), cipher, nullptr, nullptr, nullptr) != 1)
        fail(Code::crypto_failure, "AES-GCM is not available");
}

bool Gcm::has_size(ByteView key, ByteView nonce) const noexcept {
    return key.size == key_bytes_ && nonce.size == kGcmNonceBytes;
}

void Gcm::seal(ByteView key, ByteView nonce, ByteView associated_data, ByteView plaintext,
               ByteSpan out) const {
    if (!has_size(key, nonce) || out.size != plaintext.size + kGcmTagBytes)
        throw Error{Code::invalid_argument, "wrong size of a key, a nonce or a ciphertext"};
    if (plaintext.size > kMaxMessageBytes) throw Error{Code::too_long, "plaintext is too long"};
    EVP_CIPHER_CTX *gcm = context_.get();
    uint8_t *tag = out.data + plaintext.size;
    TagParameter to(tag);
    int written = 0;
    if (EVP_CipherInit_ex2(gcm, nullptr, key.data, nonce.data, 1, nullptr) != 1 ||
        !update(gcm, nullptr, associated_data) || !update(gcm, out.data, plaintext) ||
        EVP_CipherFinal_ex(gcm, tag, &written) != 1 ||
        EVP_CIPHER_CTX_get_params(gcm, to.list) != 1) {
        wipe(out);
        fail(Code::crypto_failure, "AES-GCM failed");
    }
}

void Gcm::open(ByteView key, ByteView nonce, ByteView associated_data, ByteView sealed,
               ByteSpan out, const char *message) const {
    if (!has_size(key, nonce) || sealed.size < kGcmTagBytes ||
        out.size != sealed.size - kGcmTagBytes) {
        wipe(out);
        throw Error{Code::cannot_open, message};
    }
    EVP_CIPHER_CTX *gcm = context_.get();
    uint8_t tag[kGcmTagBytes], none[kGcmTagBytes];
    memcpy(tag, sealed.data + out.size, sizeof tag);
    const TagParameter from(tag);
    int written = 0;
    if (EVP_CipherInit_ex2(gcm, nullptr, key.data, nonce.data, 0, from.list) != 1 ||
        !update(gcm, nullptr, associated_data) ||
        !update(gcm, out.data, sealed.slice(0, out.size)) ||
        EVP_CipherFinal_ex(gcm, none, &written) != 1) {
        wipe(out);
        fail(Code::cannot_open, message);
    }
}

}  // namespace aegis::core

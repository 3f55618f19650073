// SPDX-License-Identifier: Apache-2.0
#include "core/gcm.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr uint64_t kMaxMessageBytes = (uint64_t{1} << 36) - 32;

const CipherDispatch &cipher_of(size_t key_bytes) {
    static constexpr char kMissing[] = "AES-GCM is not available";
    static const CipherDispatch aes_256("AES-256-GCM", kMissing);
    static const CipherDispatch aes_128("AES-128-GCM", kMissing);
    return key_bytes == 32 ? aes_256 : aes_128;
}

struct TagParameter {
    OSSL_PARAM list[2];
    explicit TagParameter(uint8_t *tag)
        : list{OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kGcmTagBytes),
               OSSL_PARAM_construct_end()} {}
};

}  // namespace

Gcm::Gcm(size_t key_bytes)
    : cipher_(cipher_of(key_bytes)), context_(cipher_.make_context()), key_bytes_(key_bytes) {}

bool Gcm::has_size(ByteView key, ByteView nonce) const noexcept {
    return key.size == key_bytes_ && nonce.size == kGcmNonceBytes;
}

bool Gcm::process(ByteView associated_data, ByteView in, uint8_t *out) const noexcept {
    void *gcm = context_.get();
    size_t written = 0;
    if (associated_data.size != 0 &&
        cipher_.update(gcm, nullptr, &written, associated_data.size, associated_data.data,
                       associated_data.size) != 1)
        return false;
    if (in.size != 0 &&
        (cipher_.update(gcm, out, &written, in.size, in.data, in.size) != 1 || written != in.size))
        return false;
    return cipher_.final(gcm, nullptr, &written, 0) == 1;
}

void Gcm::seal(ByteView key, ByteView nonce, ByteView associated_data, ByteView plaintext,
               ByteSpan out) const {
    if (!has_size(key, nonce) || out.size != plaintext.size + kGcmTagBytes)
        throw Error{Code::invalid_argument, "wrong size of a key, a nonce or a ciphertext"};
    if (plaintext.size > kMaxMessageBytes) throw Error{Code::too_long, "plaintext is too long"};
    void *gcm = context_.get();
    TagParameter to(out.data + plaintext.size);
    if (cipher_.encrypt_init(gcm, key.data, key.size, nonce.data, nonce.size, nullptr) != 1 ||
        !process(associated_data, plaintext, out.data) ||
        cipher_.get_ctx_params(gcm, to.list) != 1) {
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
    uint8_t tag[kGcmTagBytes];
    memcpy(tag, sealed.data + out.size, sizeof tag);
    const TagParameter from(tag);
    if (cipher_.decrypt_init(context_.get(), key.data, key.size, nonce.data, nonce.size,
                             from.list) != 1 ||
        !process(associated_data, sealed.slice(0, out.size), out.data)) {
        wipe(out);
        fail(Code::cannot_open, message);
    }
}

}  // namespace aegis::core

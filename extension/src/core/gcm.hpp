// SPDX-License-Identifier: Apache-2.0
// AES-GCM (NIST SP 800-38D) with nonces of 12 bytes and tags of 16. An object is a context that is
// meant to be kept: every message brings its own key and nonce.
#pragma once

#include "core/dispatch.hpp"

namespace aegis::core {

inline constexpr size_t kGcmNonceBytes = 12;
inline constexpr size_t kGcmTagBytes = 16;

class Gcm {
 public:
    explicit Gcm(size_t key_bytes = 32);  // or 16

    // out must hold plaintext.size + kGcmTagBytes: ciphertext, then tag.
    void seal(ByteView key, ByteView nonce, ByteView associated_data, ByteView plaintext,
              ByteSpan out) const;
    // out must hold sealed.size - kGcmTagBytes. On failure out is wiped and cannot_open is thrown,
    // with the message.
    void open(ByteView key, ByteView nonce, ByteView associated_data, ByteView sealed, ByteSpan out,
              const char *message) const;

 private:
    bool has_size(ByteView key, ByteView nonce) const noexcept;
    // After a key and a nonce were set: false when libcrypto refuses, or the tag is another.
    bool process(ByteView associated_data, ByteView in, uint8_t *out) const noexcept;

    const CipherDispatch &cipher_;
    ProviderContext context_;
    size_t key_bytes_;
};

}  // namespace aegis::core

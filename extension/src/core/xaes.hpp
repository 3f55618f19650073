// SPDX-License-Identifier: Apache-2.0
// XAES-256-GCM (C2SP): AES-256-GCM under a subkey derived from the first half of a 24-byte random
// nonce. An object holds expanded key schedules and is meant to be kept and reused.
#pragma once

#include "core/secret.hpp"

namespace aegis::core {

inline constexpr size_t kXaesNonceBytes = 24;
inline constexpr size_t kXaesTagBytes = 16;

class Xaes {
 public:
    explicit Xaes(const Key32 &key);
    ~Xaes();
    Xaes(const Xaes &) = delete;
    Xaes &operator=(const Xaes &) = delete;

    // out must hold plaintext.size + kXaesTagBytes: ciphertext, then tag.
    void seal(ByteView nonce, ByteView associated_data, ByteView plaintext, ByteSpan out) const;
    // out must hold sealed.size - kXaesTagBytes. On failure out is wiped and cannot_open is thrown.
    void open(ByteView nonce, ByteView associated_data, ByteView sealed, ByteSpan out) const;

 private:
    struct State;
    State *state_;
};

}  // namespace aegis::core

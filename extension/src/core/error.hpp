// SPDX-License-Identifier: Apache-2.0
// What core throws. The message is a literal that never holds a secret, plaintext or ciphertext.
#pragma once

namespace aegis::core {

enum class Code {
    invalid_argument,  // the caller passed something out of range
    malformed,         // bytes or text do not follow their format
    too_long,          // over a documented limit
    cannot_open,       // authentication failed: wrong key, context, or tampered
    crypto_failure,    // the cryptographic library refused
};

struct Error {
    Code code;
    const char *message;
};

}  // namespace aegis::core

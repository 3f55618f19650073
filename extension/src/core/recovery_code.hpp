// SPDX-License-Identifier: Apache-2.0
// Recovery codes: what replaces a lost authenticator, once each. 120 random bits in the base32 of
// Crockford, written in six groups of four. With that many bits a plain hash is enough: there is
// nothing to guess, and no key must outlive a rotation. docs/second_factor.md.
#pragma once

#include "core/digest.hpp"

namespace aegis::core {

inline constexpr size_t kRecoveryCodeDigits = 24;
inline constexpr size_t kRecoveryCodeBytes = kRecoveryCodeDigits + 5;  // with the hyphens

// Writes a new code. Throws crypto_failure.
void make_recovery_code(char (&out)[kRecoveryCodeBytes]);
// The digits of a code as people type it: any case, with or without hyphens and spaces, o for 0, i
// and l for 1. False when it cannot be one.
bool read_recovery_code(std::string_view typed, char (&digits)[kRecoveryCodeDigits]) noexcept;
// What is stored: SHA-256("aegis/recovery-code/1" || user id || digits).
Digest recovery_code_hash(ByteView user, const char (&digits)[kRecoveryCodeDigits]);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Time-based one-time passwords: RFC 6238 over RFC 4226, with what every authenticator app speaks:
// HMAC-SHA-1, six digits, steps of 30 seconds. docs/second_factor.md.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kTotpSecretBytes = 20;   // RFC 4226 section 4: 160 bits
inline constexpr size_t kTotpSecretDigits = 32;  // in base32
inline constexpr int kTotpDigits = 6;
inline constexpr int64_t kTotpStepSeconds = 30;
// Steps before and after the present one whose codes are taken: a clock may be off by half a
// minute.
inline constexpr int64_t kTotpWindow = 1;

// The code of a counter as a number of that many digits, 1 to 9. Throws invalid_argument,
// crypto_failure.
uint32_t hotp(ByteView secret, uint64_t counter, int digits = kTotpDigits);

enum class TotpVerdict { wrong, replayed, right };
struct TotpMatch {
    TotpVerdict verdict;
    int64_t step;  // when right: whose code it is
};
// Looks for the code among the steps of the window. A code of a step up to `last_step`, the last
// one that was used, is replayed: RFC 6238 section 5.2. Takes as long for every code of six digits.
TotpMatch match_totp(ByteView secret, std::string_view code, int64_t unix_seconds,
                     int64_t last_step);

// The address that authenticator apps read, as QR code or link: otpauth://totp/ISSUER:ACCOUNT?…,
// with everything but unreserved characters percent-encoded. Returns how many bytes it has; writes
// them when they fit.
size_t totp_uri(ByteView secret, std::string_view issuer, std::string_view account,
                ByteSpan out) noexcept;

}  // namespace aegis::core

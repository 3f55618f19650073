// SPDX-License-Identifier: Apache-2.0
#include "core/recovery_code.hpp"

#include "core/random.hpp"

namespace aegis::core {

namespace {

constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kGroup = 4;

// The digit that a typed character stands for; 0 when none.
char digit_of(char c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == 'o') c = '0';
    if (c == 'i' || c == 'l') c = '1';
    return c != '\0' && strchr(kDigits, c) != nullptr ? c : '\0';
}

}  // namespace

void make_recovery_code(char (&out)[kRecoveryCodeBytes]) {
    uint8_t random[kRecoveryCodeDigits];
    random_secret(random);
    size_t at = 0;
    for (size_t i = 0; i < kRecoveryCodeDigits; ++i) {
        if (i > 0 && i % kGroup == 0) out[at++] = '-';
        out[at++] = kDigits[random[i] & 31];
    }
    wipe(random);
}

bool read_recovery_code(std::string_view typed, char (&digits)[kRecoveryCodeDigits]) noexcept {
    size_t count = 0;
    for (char c : typed) {
        if (c == '-' || c == ' ') continue;
        const char digit = digit_of(c);
        if (digit == '\0' || count == kRecoveryCodeDigits) return false;
        digits[count++] = digit;
    }
    return count == kRecoveryCodeDigits;
}

Digest recovery_code_hash(ByteView user, const char (&digits)[kRecoveryCodeDigits]) {
    const ByteView parts[] = {as_bytes("aegis/recovery-code/1"), user,
                              as_bytes({digits, kRecoveryCodeDigits})};
    return sha256(parts, 3);
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Which numbers a card can have: issuer identification numbers (ISO/IEC 7812) by network, the
// lengths that each issues, and whether all of them have a check digit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aegis::core {

inline constexpr size_t kFewestPanDigits = 12, kMostPanDigits = 19;

struct PanRule {
    bool issued;         // some network issues this prefix with this length
    bool needs_context;  // believed only beside words or fields that speak of cards
    bool has_check;      // false: numbers without a check digit exist
};

// The most trusting rule that fits. Digits are values 0 to 9, without leading zeros.
PanRule pan_rule(const uint8_t *digits, size_t count) noexcept;

// A card number, by prefix, length and check digit.
bool is_pan(const uint8_t *digits, size_t count, bool card_context) noexcept;

}  // namespace aegis::core

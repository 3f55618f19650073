// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_iin.hpp"

#include "core/scrub_luhn.hpp"

namespace aegis::core {

namespace {

constexpr uint32_t lengths(size_t from, size_t to) {
    uint32_t set = 0;
    for (size_t i = from; i <= to; ++i) set |= 1u << i;
    return set;
}

constexpr uint32_t length(size_t one) {
    return lengths(one, one);
}

enum Trust : uint8_t { checked, checked_in_context, unchecked_in_context };

struct Range {
    uint32_t from, to;  // the first six digits
    uint32_t lengths;   // bit n: n digits
    Trust trust;
};

// A prefix of one to six digits covers all six-digit numbers that begin with it.
constexpr Range prefix(uint32_t from, uint32_t to, uint32_t which, Trust trust = checked) {
    uint32_t scale = 1;
    while (to * scale < 100000) scale *= 10;
    return {from * scale, (to + 1) * scale - 1, which, trust};
}

constexpr Range one(uint32_t number, uint32_t which, Trust trust = checked) {
    return prefix(number, number, which, trust);
}

constexpr Range kRanges[] = {
    one(4, length(13) | length(16) | lengths(18, 19)),        // Visa, Electron, Dankort
    prefix(51, 55, length(16)),                               // Mastercard
    prefix(2221, 2720, length(16)),                           // Mastercard, 2 series
    one(34, length(15)),                                      // American Express
    one(37, length(15)),                                      // American Express
    prefix(300, 305, length(14) | length(16) | length(19)),   // Diners Club
    one(3095, length(14) | length(16) | length(19)),          // Diners Club
    one(36, length(14) | length(16) | length(19)),            // Diners Club
    prefix(38, 39, length(14) | length(16) | length(19)),     // Diners Club
    one(2014, length(15), unchecked_in_context),              // enRoute: never had a check digit
    one(2149, length(15), unchecked_in_context),              // enRoute
    prefix(3528, 3589, lengths(16, 19)),                      // JCB
    one(2131, length(15)),                                    // JCB, legacy
    one(1800, length(15)),                                    // JCB, legacy
    prefix(3088, 3094, lengths(16, 19)),                      // JCB, legacy
    prefix(3096, 3102, lengths(16, 19)),                      // JCB, legacy
    prefix(3112, 3120, lengths(16, 19)),                      // JCB, legacy
    prefix(3158, 3159, lengths(16, 19)),                      // JCB, legacy
    prefix(3337, 3349, lengths(16, 19)),                      // JCB, legacy
    one(62, lengths(14, 19)),                                 // UnionPay
    one(62, lengths(16, 19), unchecked_in_context),           // UnionPay without a check digit
    prefix(810, 817, lengths(14, 19)),                        // UnionPay
    prefix(810, 817, lengths(16, 19), unchecked_in_context),  // UnionPay without a check digit
    one(81, length(16)),                                      // RuPay
    one(82, length(16), checked_in_context),                  // RuPay
    one(50, lengths(13, 19)),                                 // Maestro, Dankort, Elo, Verve
    prefix(56, 59, lengths(13, 19)),                          // Maestro, Bankcard
    one(60, lengths(13, 19)),                                 // Discover, RuPay, Forbrugsforeningen
    prefix(63, 65, lengths(13, 19)),                          // Discover, InstaPayment, Elo, Troy
    one(67, lengths(13, 19)),                                 // Maestro, Laser
    one(6, lengths(13, 19), checked_in_context),              // Maestro
    one(50, length(12), checked_in_context),                  // Maestro: as long as a phone number
    prefix(56, 59, length(12), checked_in_context),           // Maestro
    one(6, length(12), checked_in_context),                   // Maestro
    prefix(2200, 2205, lengths(16, 19)),                      // Mir, PayPak
    one(9792, length(16)),                                    // Troy
    prefix(11, 19, length(15)),                               // UATP
    one(10, length(15), checked_in_context),                  // UATP: ids of social networks, too
};

}  // namespace

PanRule pan_rule(const uint8_t *digits, size_t count) noexcept {
    PanRule found = {false, true, true};
    if (count < kFewestPanDigits || count > kMostPanDigits) return found;
    uint32_t number = 0;
    for (size_t i = 0; i < 6; ++i) number = number * 10 + digits[i];
    for (const Range &range : kRanges) {
        if (number < range.from || number > range.to || !(range.lengths >> count & 1)) continue;
        found.issued = true;
        if (range.trust == checked) found.needs_context = false;
        if (range.trust == unchecked_in_context) found.has_check = false;
    }
    return found;
}

bool is_pan(const uint8_t *digits, size_t count, bool card_context) noexcept {
    const bool passes = passes_luhn(digits, count);
    if (!passes && !card_context) return false;  // nine of ten are out before any look-up
    const PanRule rule = pan_rule(digits, count);
    if (!rule.issued || (rule.needs_context && !card_context)) return false;
    return passes || !rule.has_check;
}

}  // namespace aegis::core

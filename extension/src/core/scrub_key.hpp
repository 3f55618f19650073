// SPDX-License-Identifier: Apache-2.0
// Names of fields: those whose values are card data whatever they look like, and those of
// references whose own form tells them from card numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace aegis::core {

enum class KeyClass : uint8_t { none, number, code, expiry, track, pin, holder };

struct KeyRule {
    KeyClass kind = KeyClass::none;
    bool needs_card = false;  // only in an object that is about a card
};

// By the words of the name in any spelling: cardNumber, card_number, x-card-number, card[number].
KeyRule key_rule(std::string_view name);

// What a name, or a name and its value, say about the object that holds it.
bool names_a_card(std::string_view name);                           // "card", "creditCard"
bool is_card_brand(std::string_view name, std::string_view value);  // "brand": "visa"

// A number that is shown in part, as "XXXX1111": what may be kept of it.
bool is_masked_number(std::string_view value) noexcept;

// A value of the form that the reference of this name has, and that no card number has: it stays.
bool is_reference(std::string_view name, std::string_view value);

// Letters and digits, lower case; words of camelCase are told apart by `starts`, a bit per byte.
struct Name {
    char text[64];
    size_t size;      // 0: empty or too long to be one of ours
    uint64_t starts;  // bit n: a word begins at text[n]
};
Name normalised_name(std::string_view name) noexcept;

}  // namespace aegis::core

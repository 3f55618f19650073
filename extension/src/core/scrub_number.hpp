// SPDX-License-Identifier: Apache-2.0
// Card numbers in text that is in clear: digits in groups, as people and programs write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace aegis::core {

struct Span {
    size_t begin, end;
};

// How digits of a number are split: in one piece, in single digits or pairs, as cards are printed.
bool is_card_grouping(const uint8_t *sizes, size_t count) noexcept;

// Words that speak of cards within 64 bytes of a span.
bool speaks_of_cards(std::string_view text, Span span) noexcept;

// Adds the spans of the card numbers. `card_context`: what stands around the text speaks of cards.
void find_pans(std::string_view text, bool card_context, std::vector<Span> *out);

// Whether these digits, as the only ones, are a card number once leading zeros are gone.
bool is_pan_text(std::string_view ascii_digits, bool card_context) noexcept;

}  // namespace aegis::core

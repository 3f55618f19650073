// SPDX-License-Identifier: Apache-2.0
// What was found in a text, and what takes its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aegis::core {

enum class CardData : uint8_t {
    pan,        // a card number
    track,      // data of a magnetic stripe
    emv,        // data of a chip
    ksn,        // a key serial number of DUKPT
    expiry,     // a date beside a card number
    key,        // the value of a field whose name says that it is card data
    undecoded,  // what took too much work to look into
};

const char *card_data_word(CardData kind) noexcept;
// Constant: no digits, and the same for every length.
std::string_view card_data_mark(CardData kind) noexcept;

// Longer pointers are cut: they are for people to find a place.
inline constexpr size_t kLongestPointer = 1024;

struct Edit {
    size_t begin, end;
    CardData kind;  // of what was found first
    uint8_t kinds;  // of everything that was found there: bit n for kind n
    std::string replacement;
    std::string pointer;  // RFC 6901, inside the text; empty: the text itself
};

// Replaces by the mark of its kind.
Edit mark(size_t begin, size_t end, CardData kind);

using Edits = std::vector<Edit>;

// In order and without overlaps: of two that overlap, one that covers both remains.
void settle(Edits *edits);
// `edits` are settled.
std::string apply(std::string_view text, const Edits &edits);

}  // namespace aegis::core

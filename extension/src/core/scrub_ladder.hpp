// SPDX-License-Identifier: Apache-2.0
// How texts are looked into: as JSON, as text in clear, as encodings of other texts, again and
// again within bounds.
#pragma once

#include "core/scrub_edit.hpp"
#include "core/scrub_look.hpp"

namespace aegis::core {

inline constexpr int kDeepestLadder = 4;

struct Around {
    bool card;     // what stands around the text speaks of cards
    bool keys;     // names of fields count: not in what people write
    int depth;     // steps down the ladder so far
    size_t *left;  // bytes that may still be looked at, over all steps

    Around deeper() const { return {card, keys, depth + 1, left}; }
};

// Adds what is to be replaced in the text.
void scan_text(std::string_view text, const Around &around, Edits *edits);
void scan_text(std::string_view text, const Look &look, const Around &around, Edits *edits);
// The same for one JSON value; false, and nothing added, when the text is none.
bool scan_json(std::string_view text, const Around &around, Edits *edits);

// Values behind names of card data, as in forms, headers, XML and prose: "cvv=123". With `blanks`
// nothing but a blank needs to be between.
void find_assigned(std::string_view text, bool blanks, Edits *edits);
// Expiry, code and the like beside a card number at [begin, end).
void find_companions(std::string_view text, size_t begin, size_t end, Edits *edits);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Finds and removes card data: card numbers in any script, grouping and encoding, tracks, chip
// data, key serial numbers, and the values of fields that are named after them. docs/scrub.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/scrub_edit.hpp"

namespace aegis::core {

enum class ScrubProfile : uint8_t {
    payload,    // what programs send: names of fields count
    user_field  // what people write: only values count, and tracks and codes that are named
};

struct CardFinding {
    CardData kind;
    std::string pointer;  // RFC 6901; empty: the text itself, or all of it
};

struct Scrubbed {
    bool changed;
    std::string text;  // only when changed
    std::vector<CardFinding> findings;
};

// Text that is a JSON object, array or string keeps being one. Looks at no more than a fixed
// multiple of its size; what would take more is replaced whole. Text in UTF-8 stays such.
Scrubbed scrub(std::string_view text, ScrubProfile profile = ScrubProfile::payload);

// Whether anything would be found.
bool has_card_data(std::string_view text, ScrubProfile profile);

}  // namespace aegis::core

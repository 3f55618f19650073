// SPDX-License-Identifier: Apache-2.0
// What a character means inside a number: a digit of any script, something that people and programs
// put between digits, something that nobody sees, or its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aegis::core {

enum class Part : uint8_t {
    digit,
    separator,  // blanks, hyphens and dashes, and . _ / , * | '
    line_end,   // CR, LF: a separator that may stand anywhere in a number
    unseen,     // no width: soft hyphen, zero-width space, word joiner, byte order mark, marks
    other
};

struct Symbol {
    Part part;
    uint8_t value;  // of a digit
    uint8_t bytes;  // of the character; 1 for a byte that is no UTF-8
};

Symbol symbol_at(std::string_view text, size_t at) noexcept;

// Where a character of UTF-8 that is cut at `at` ends: what is replaced is made of whole ones.
size_t character_end(std::string_view text, size_t at) noexcept;

}  // namespace aegis::core

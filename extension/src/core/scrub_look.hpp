// SPDX-License-Identifier: Apache-2.0
// The first look at every byte: most texts can hold nothing that the ladder would find, and are
// left alone after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aegis::core {

enum : uint8_t {
    kLookDigit = 1,
    kLookForeign = 2,   // a byte that is no ASCII
    kLookEncoded = 4,   // % & < + and a backslash
    kLookAssigns = 8,   // = : >
    kLookEscape = 16,   // a backslash
    kLookControl = 32,  // bytes that a JSON string must not hold
};

struct Look {
    size_t size;    // up to the end, or to the quote
    uint8_t seen;   // kLook…
    uint32_t run;   // digits that nothing but separators interrupts, at most
    uint32_t word;  // successive characters of base64, at most
};

// Up to the end of the text.
Look look_at(std::string_view text) noexcept;
// Up to the quote that ends a JSON string; size is npos when there is none.
Look look_at_string(std::string_view text) noexcept;

// Whether anything can be in a text of which this was seen.
bool deserves_a_scan(const Look &look, std::string_view text) noexcept;

// The first character that is no blank opens an object, an array or a string.
bool begins_like_json(std::string_view text) noexcept;

inline constexpr uint32_t kShortestWord = 16;

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// What a masked value shows. docs/field.md, "Masks". Input is valid UTF-8; other bytes are safe.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

enum class Mask : uint8_t {
    none = 0,      // everything
    full = 1,      // ***
    email = 2,     // b***@e***.com
    last4 = 3,     // the last four of more than eight characters
    domain = 4,    // ***@example.com
    phone = 5,     // +49***78: the first two and last two of more than eight digits
    initial = 6,   // A***: the first of more than one character
    initials = 7,  // A*** L***: the same of each word, of eight at most
    year = 8,      // 1984: of a date that begins with it
    card = 9       // 411111***1111: the first six and last four of thirteen or more digits
};

// A mask by its word; false for a word that is none. "none" has no word.
bool find_mask(std::string_view word, Mask *mask) noexcept;
const char *mask_word(Mask mask) noexcept;

// Bytes written into out, which has at least mask_capacity(). What has not the shape that a mask
// needs, or would be given away by it, is ***.
size_t mask_capacity(size_t value_bytes) noexcept;
size_t mask(Mask how, ByteView value, ByteSpan out) noexcept;

}  // namespace aegis::core

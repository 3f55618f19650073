// SPDX-License-Identifier: Apache-2.0
// What counts as the same value for search. docs/format/keys-v1.md, "Search tokens".
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

enum class Normaliser : uint8_t {
    none = 0,      // not searchable
    email = 1,     // ASCII white space trimmed, ASCII lower-cased
    exact = 2,     // the bytes
    keyword = 3,   // Unicode NFC
    caseless = 4,  // Unicode NFKC_Casefold, trimmed
    phone = 5,     // E.164: "+" and digits
    alnum = 6      // ASCII letters, upper-cased, and digits
};

// The most bytes that a normalised value of this size can have.
size_t normalised_capacity(Normaliser how, size_t value_bytes) noexcept;

// Bytes written into out, which has at least normalised_capacity() and may be written beyond the
// result. none and exact: the value as it is. Throws malformed when the value is none of its kind:
// an e-mail without an "@" that has something on both sides, a phone number without a country
// prefix, letters and digits of other scripts, text that is not UTF-8.
size_t normalise(Normaliser how, ByteView value, ByteSpan out);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// One step down the ladder of encodings that carry text inside text. What was decoded keeps where
// it stood, so that what is found in it can be removed from the source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aegis::core {

struct Decoded {
    std::string text;
    std::vector<uint32_t> begin, end;  // of each byte, in the source

    void put(char byte, size_t from, size_t to);
    void put_point(uint32_t point, size_t from, size_t to);  // as UTF-8
};

// Percent encoding, character references of HTML and XML, escapes with a backslash, tags, soft line
// ends of quoted-printable, and "+" between digits. False when the text has none of them.
bool decode_references(std::string_view text, Decoded *out);

// The text of a JSON string between its quotes; an escape that is none stays as it is.
std::string decode_json_string(std::string_view text);

// Base64 or base64url, with or without padding; false when it cannot be.
bool decode_base64(std::string_view word, std::string *out);
// Whether its first bytes are those of a text or of chip data: those of most identifiers are not.
bool may_decode_base64(std::string_view word) noexcept;
// Pairs of hexadecimal digits of either case; the same question for them.
bool may_decode_hex(std::string_view word) noexcept;
bool decode_hex(std::string_view word, std::string *out);

// Whether all of it is printable ASCII or UTF-8, as it is when the decoding was the right one.
bool is_printable(std::string_view text) noexcept;

int hex_value(char c) noexcept;  // -1: none

}  // namespace aegis::core

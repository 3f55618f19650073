// SPDX-License-Identifier: Apache-2.0
// Text forms of bytes: hex, base64 and base64url without padding (RFC 4648 sections 4 and 5),
// base32 (section 6), UTF-8, and the armor of envelopes "A1." + base64url.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

size_t hex_size(size_t bytes) noexcept;
void to_hex(ByteView bytes, char *out) noexcept;     // lower case, no terminator
void from_hex(std::string_view text, ByteSpan out);  // throws malformed

size_t base64url_size(size_t bytes) noexcept;
void to_base64url(ByteView bytes, char *out) noexcept;     // no padding, no terminator
size_t base64url_decoded_size(std::string_view text);      // throws malformed
void from_base64url(std::string_view text, ByteSpan out);  // strict: rejects non-zero trailing bits

size_t base64_size(size_t bytes) noexcept;              // RFC 4648 section 4, with padding
void to_base64(ByteView bytes, char *out) noexcept;     // no terminator
size_t base64_decoded_size(std::string_view text);      // throws malformed
void from_base64(std::string_view text, ByteSpan out);  // strict, as above

size_t base32_size(size_t bytes) noexcept;           // RFC 4648 section 6, without padding
void to_base32(ByteView bytes, char *out) noexcept;  // upper case, no terminator

// Well-formed UTF-8 without surrogates and longer forms than needed (RFC 3629), and without U+0000,
// which no text of PostgreSQL holds: whoever showed such a text would show its beginning only.
bool is_text(ByteView text) noexcept;

inline constexpr std::string_view kArmorPrefix = "A1.";
bool looks_like_armor(std::string_view text) noexcept;  // starts with the prefix
size_t armor_size(size_t envelope_bytes) noexcept;
void to_armor(ByteView envelope, char *out) noexcept;
size_t armor_decoded_size(std::string_view armor);      // throws malformed
void from_armor(std::string_view armor, ByteSpan out);  // throws malformed

}  // namespace aegis::core

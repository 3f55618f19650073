// SPDX-License-Identifier: Apache-2.0
// Numbers and words that are known to be something else than a card number.
#pragma once

#include <string_view>

#include "core/scrub_number.hpp"

namespace aegis::core {

// Inside an IBAN of its country's length whose check digits fit (ISO 13616, ISO/IEC 7064 MOD
// 97-10).
bool is_in_iban(std::string_view text, Span span) noexcept;

// Inside a UUID, or inside a hexadecimal word of a digest's length that has letters on both sides
// or around it.
bool is_in_digest(std::string_view text, Span span) noexcept;

// Behind "0.": the fraction of a decimal number.
bool is_fraction(std::string_view text, Span span) noexcept;

}  // namespace aegis::core

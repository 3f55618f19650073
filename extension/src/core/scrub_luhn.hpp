// SPDX-License-Identifier: Apache-2.0
// The check digit of ISO/IEC 7812-1, annex B ("Luhn").
#pragma once

#include <cstddef>
#include <cstdint>

namespace aegis::core {

// Digits are values 0 to 9, not characters.
bool passes_luhn(const uint8_t *digits, size_t count) noexcept;

}  // namespace aegis::core

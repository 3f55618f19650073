// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_luhn.hpp"

namespace aegis::core {

bool passes_luhn(const uint8_t *digits, size_t count) noexcept {
    static constexpr uint8_t kDoubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
    unsigned sum = 0;
    bool doubled = false;
    for (size_t i = count; i > 0; --i, doubled = !doubled)
        sum += doubled ? kDoubled[digits[i - 1]] : digits[i - 1];
    return sum % 10 == 0;
}

}  // namespace aegis::core

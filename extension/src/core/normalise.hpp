// SPDX-License-Identifier: Apache-2.0
// What counts as the same value for search, and what a masked value shows. Input is valid UTF-8.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

enum class Normaliser : uint8_t { none = 0, email = 1 };
enum class Mask : uint8_t { none = 0, full = 1, email = 2, last4 = 3 };

// Bytes written into out (at least value.size). none: the value as it is. email: trims ASCII white
// space and lower-cases ASCII; non-ASCII bytes pass unchanged; throws malformed when the result has
// no "@" with something on both sides.
size_t normalise(Normaliser how, ByteView value, ByteSpan out);

// Bytes written into out (at least mask_capacity()). email: b***@e***.com; last4: *** and the last
// four characters when there are more than eight, else ***; full: ***.
size_t mask_capacity(size_t value_bytes) noexcept;
size_t mask(Mask how, ByteView value, ByteSpan out) noexcept;

}  // namespace aegis::core

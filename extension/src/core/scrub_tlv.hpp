// SPDX-License-Identifier: Apache-2.0
// Chip card data: BER-TLV (ISO/IEC 8825-1) with the tags of EMV Book 3 that hold a card's number,
// tracks, holder or expiry.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

// Whether all of it is BER-TLV, and such a tag has a value of its own form.
bool is_emv(ByteView bytes) noexcept;

}  // namespace aegis::core

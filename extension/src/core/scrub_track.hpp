// SPDX-License-Identifier: Apache-2.0
// What a magnetic stripe holds (ISO/IEC 7813), whose sentinels are often lost, and key serial
// numbers of DUKPT (ANSI X9.24).
#pragma once

#include <string_view>
#include <vector>

#include "core/scrub_number.hpp"

namespace aegis::core {

// Adds the spans of track 1 and track 2 data.
void find_tracks(std::string_view text, std::vector<Span> *out);

// "FFFF" and 16 more hexadecimal digits, alone.
bool is_key_serial_number(std::string_view text) noexcept;

}  // namespace aegis::core

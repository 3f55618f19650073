// SPDX-License-Identifier: Apache-2.0
#include "request_id.hpp"

#include "core/random.hpp"
#include "core/scrub.hpp"

#include <algorithm>

namespace aegis::server {

bool is_request_id(std::string_view text) {
    const bool well_formed =
        !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '.' || c == '_' || c == '-';
        });
    // It is recorded and logged: a card number is none.
    return well_formed && !core::has_card_data(text, core::ScrubProfile::payload);
}

std::string make_request_id() {
    uint8_t raw[16];
    core::random_nonce(raw);
    raw[6] = static_cast<uint8_t>((raw[6] & 0x0f) | 0x40);
    raw[8] = static_cast<uint8_t>((raw[8] & 0x3f) | 0x80);
    static constexpr char digits[] = "0123456789abcdef";
    char text[36];
    char *to = text;
    for (size_t at = 0; at < sizeof(raw); ++at) {
        if (at == 4 || at == 6 || at == 8 || at == 10) *to++ = '-';
        *to++ = digits[raw[at] >> 4];
        *to++ = digits[raw[at] & 15];
    }
    return std::string(text, sizeof(text));
}

}  // namespace aegis::server

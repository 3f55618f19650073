// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_tlv.hpp"

namespace aegis::core {

namespace {

constexpr int kDeepest = 4;
constexpr size_t kFewestDigits = 12, kMostDigits = 19;
constexpr uint8_t kTrackSeparator = 0xD, kPad = 0xF;

uint8_t nibble(ByteView value, size_t at) {
    const uint8_t byte = value.data[at / 2];
    return at % 2 == 0 ? byte >> 4 : byte & 0xF;
}

size_t leading_digits(ByteView value) {
    size_t count = 0;
    while (count < value.size * 2 && nibble(value, count) <= 9) ++count;
    return count;
}

bool is_number(ByteView value) {
    const size_t digits = leading_digits(value);
    if (digits < kFewestDigits || digits > kMostDigits) return false;
    for (size_t i = digits; i < value.size * 2; ++i)
        if (nibble(value, i) != kPad) return false;
    return true;
}

bool is_track2(ByteView value) {
    const size_t digits = leading_digits(value);
    return digits >= kFewestDigits && digits <= kMostDigits && digits < value.size * 2 &&
           nibble(value, digits) == kTrackSeparator;
}

bool is_expiry(ByteView value) {
    return value.size == 3 && leading_digits(value) == 6 && value.data[1] >= 0x01 &&
           value.data[1] <= 0x12;
}

bool is_words(ByteView value, size_t most) {
    if (value.size < 2 || value.size > most) return false;
    for (size_t i = 0; i < value.size; ++i)
        if (value.data[i] < ' ' || value.data[i] > '~') return false;
    return true;
}

bool is_card_data(uint32_t tag, ByteView value) {
    switch (tag) {
        case 0x57:    // track 2 equivalent data
        case 0x9F6B:  // track 2 data, contactless
            return is_track2(value);
        case 0x5A:  // application primary account number
            return is_number(value);
        case 0x5F24:  // application expiration date
            return is_expiry(value);
        case 0x5F20:  // cardholder name
            return is_words(value, 26);
        case 0x56:  // track 1 data, contactless
            return is_words(value, 76) && value.data[0] == 'B';
        case 0x9F1F:  // track 1 discretionary data
            return is_words(value, 76);
        default:
            return false;
    }
}

// Reads one tag or length; false when it does not fit.
bool read_tag(ByteView bytes, size_t *at, uint32_t *tag) {
    *tag = bytes.data[(*at)++];
    if ((*tag & 0x1F) != 0x1F) return true;
    for (int i = 0; i < 2; ++i) {
        if (*at == bytes.size) return false;
        const uint8_t byte = bytes.data[(*at)++];
        *tag = *tag << 8 | byte;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

bool read_length(ByteView bytes, size_t *at, size_t *length) {
    if (*at == bytes.size) return false;
    *length = bytes.data[(*at)++];
    if (*length < 0x80) return true;
    const size_t more = *length & 0x7F;
    if (more == 0 || more > 2) return false;
    *length = 0;
    for (size_t i = 0; i < more; ++i) {
        if (*at == bytes.size) return false;
        *length = *length << 8 | bytes.data[(*at)++];
    }
    return true;
}

bool walk(ByteView bytes, int depth, bool *found) {
    size_t at = 0;
    while (at < bytes.size) {
        if (bytes.data[at] == 0x00 || bytes.data[at] == 0xFF) {  // filler between elements
            ++at;
            continue;
        }
        const bool constructed = bytes.data[at] & 0x20;
        uint32_t tag;
        size_t length;
        if (!read_tag(bytes, &at, &tag) || !read_length(bytes, &at, &length)) return false;
        if (length > bytes.size - at) return false;
        const ByteView value = bytes.slice(at, length);
        *found |= is_card_data(tag, value);
        if (constructed && (depth == kDeepest || !walk(value, depth + 1, found))) return false;
        at += length;
    }
    return true;
}

}  // namespace

bool is_emv(ByteView bytes) noexcept {
    bool found = false;
    return bytes.size >= 5 && walk(bytes, 0, &found) && found;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_digit.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::core {

namespace {

// The zeros of the decimal digits (general category Nd of Unicode 15); nine digits follow each.
constexpr uint32_t kZeros[] = {
    0x0660,  0x06F0,  0x07C0,  0x0966,  0x09E6,  0x0A66,  0x0AE6,  0x0B66,  0x0BE6,  0x0C66,
    0x0CE6,  0x0D66,  0x0DE6,  0x0E50,  0x0ED0,  0x0F20,  0x1040,  0x1090,  0x17E0,  0x1810,
    0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,
    0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066, 0x110F0,
    0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950,
    0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
    0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1FBF0};

// Digits by compatibility (NFKC): runs of successive values.
struct Run {
    uint32_t first;
    uint8_t value, count;
};
constexpr Run kCompatible[] = {{0x00B2, 2, 2},  {0x00B9, 1, 1}, {0x2070, 0, 1}, {0x2074, 4, 6},
                               {0x2080, 0, 10}, {0x2460, 1, 9}, {0x24EA, 0, 1}};

int digit_value(uint32_t point) {
    const uint32_t *after = std::upper_bound(std::begin(kZeros), std::end(kZeros), point);
    if (after != std::begin(kZeros) && point - after[-1] < 10)
        return static_cast<int>(point - after[-1]);
    for (const Run &run : kCompatible)
        if (point >= run.first && point - run.first < run.count)
            return static_cast<int>(run.value + (point - run.first));
    return -1;
}

bool is_unseen(uint32_t point) {
    return point == 0x00AD || point == 0x034F || point == 0x061C || point == 0x180E ||
           (point >= 0x200B && point <= 0x200F) || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2060 && point <= 0x2064) || (point >= 0x2066 && point <= 0x206F) ||
           (point >= 0xFE00 && point <= 0xFE0F) || point == 0xFEFF || point == 0x20E3;
}

bool is_separator(uint32_t point) {
    return point == 0x00A0 || point == 0x00B7 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200A) || (point >= 0x2010 && point <= 0x2015) ||
           point == 0x2022 || point == 0x2024 || point == 0x2027 || point == 0x202F ||
           point == 0x2043 || point == 0x2044 || point == 0x2019 || point == 0x205F ||
           point == 0x2212 || point == 0x2215 || point == 0x22C5 || point == 0x3000 ||
           point == 0x30FB || point == 0xFE58 || point == 0xFE63 || point == 0xFF0D ||
           point == 0xFF0E || point == 0xFF0F || point == 0xFF3F || point == 0x066B ||
           point == 0x066C;
}

struct Point {
    uint32_t value;
    uint8_t bytes;  // 0: no UTF-8
};

Point point_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
    const uint8_t lead = byte(0);
    const uint8_t bytes = lead >= 0xF0 && lead < 0xF8 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (bytes == 0 || lead >= 0xF8 || at + bytes > text.size()) return {0, 0};
    uint32_t value = lead & (0x7Fu >> bytes);
    for (uint8_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {0, 0};
        value = value << 6 | (byte(i) & 0x3Fu);
    }
    return {value, bytes};
}

Symbol ascii(char c) {
    switch (c) {
        case '\r':
        case '\n':
            return {Part::line_end, 0, 1};
        case ' ':
        case '\t':
        case '\v':
        case '\f':
        case '-':
        case '.':
        case '_':
        case '/':
        case ',':
        case '*':
        case '|':
        case '\'':
            return {Part::separator, 0, 1};
        default:
            return {Part::other, 0, 1};
    }
}

}  // namespace

Symbol symbol_at(std::string_view text, size_t at) noexcept {
    const char c = text[at];
    if (c >= '0' && c <= '9') return {Part::digit, static_cast<uint8_t>(c - '0'), 1};
    if (static_cast<uint8_t>(c) < 0x80) return ascii(c);
    const Point point = point_at(text, at);
    // A hard space in the eight-bit encodings that still arrive.
    if (point.bytes == 0) return {c == '\xA0' ? Part::separator : Part::other, 0, 1};
    if (const int value = digit_value(point.value); value >= 0)
        return {Part::digit, static_cast<uint8_t>(value), point.bytes};
    if (is_unseen(point.value)) return {Part::unseen, 0, point.bytes};
    if (is_separator(point.value)) return {Part::separator, 0, point.bytes};
    return {Part::other, 0, point.bytes};
}

size_t character_end(std::string_view text, size_t at) noexcept {
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
    return at;
}

}  // namespace aegis::core

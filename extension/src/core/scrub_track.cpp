// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_track.hpp"

#include "core/scrub_decode.hpp"
#include "core/scrub_digit.hpp"
#include "core/scrub_iin.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestTrack1 = 79, kLongestNumber = 40;  // with blanks in it
constexpr size_t kShortestName = 2, kLongestName = 26;
// Expiry and service code: as many digits behind the separator need no check digit before it.
constexpr size_t kConvincing = 7;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

struct Number {
    size_t begin;
    size_t count;  // digits; 0: none ends here
    bool is_card;
};

// The digits that end right before `end`; blanks between them where the track allows.
Number number_before(std::string_view text, size_t end, bool blanks) {
    Number number = {end, 0, false};
    uint8_t digits[kMostPanDigits];
    while (number.begin > 0 && number.count < kMostPanDigits &&
           end - number.begin < kLongestNumber) {
        const char c = text[number.begin - 1];
        if (is_digit(c))
            digits[kMostPanDigits - ++number.count] = static_cast<uint8_t>(c - '0');
        else if (!blanks || c != ' ' || number.count == 0)
            break;
        --number.begin;
    }
    if (number.begin > 0 && is_digit(text[number.begin - 1])) return {end, 0, false};
    if (number.count < kFewestPanDigits) return {end, 0, false};
    number.is_card = is_pan(digits + kMostPanDigits - number.count, number.count, true);
    return number;
}

size_t digits_at(std::string_view text, size_t at) {
    size_t count = 0;
    while (at + count < text.size() && is_digit(text[at + count])) ++count;
    return count;
}

// YYMM
bool is_expiry(std::string_view text, size_t at) {
    if (digits_at(text, at) < 4) return false;
    const int month = (text[at + 2] - '0') * 10 + (text[at + 3] - '0');
    return month >= 1 && month <= 12;
}

// The end of a track: behind its sentinel, or where what a track can hold ends.
size_t track_end(std::string_view text, size_t at, size_t most) {
    while (at < text.size() && at < most) {
        const char c = text[at++];
        if (c == '?') break;
        if (c == '"' || c == '<' || c == '>' || c == '\n' || c == '\r' || c == '&') return at - 1;
    }
    return character_end(text, at);
}

// B 4111… ^ NAME ^ YYMM SVC … ?
bool track1(std::string_view text, size_t caret, Span *span) {
    const Number number = number_before(text, caret, true);
    if (number.count == 0) return false;
    const size_t name = caret + 1, second = text.substr(0, name + kLongestName + 1).find('^', name);
    if (second == std::string_view::npos || second - name < kShortestName) return false;
    const bool dated = is_expiry(text, second + 1) || text.substr(second + 1, 1) == "^";
    const bool marked = number.begin > 0 && (text[number.begin - 1] | 0x20) == 'b';
    if (!dated || (!marked && !number.is_card)) return false;
    span->begin = marked ? number.begin - 1 : number.begin;
    if (marked && span->begin > 0 && text[span->begin - 1] == '%') --span->begin;
    span->end = track_end(text, second + 1, span->begin + kLongestTrack1);
    return true;
}

// ; 4111… = YYMM SVC … ?
bool track2(std::string_view text, size_t separator, Span *span) {
    const Number number = number_before(text, separator, false);
    if (number.count == 0 || !is_expiry(text, separator + 1)) return false;
    const bool marked = number.begin > 0 && text[number.begin - 1] == ';';
    const size_t after = digits_at(text, separator + 1);
    if (!marked && !number.is_card && after < kConvincing) return false;
    span->begin = marked ? number.begin - 1 : number.begin;
    const size_t end = separator + 1 + after;
    span->end =
        end < text.size() && (text[end] == '?' || (text[end] | 0x20) == 'f') ? end + 1 : end;
    return true;
}

}  // namespace

void find_tracks(std::string_view text, std::vector<Span> *out) {
    for (size_t at = kFewestPanDigits; at < text.size(); ++at) {
        Span span;
        const char c = text[at];
        const bool found = c == '^'                           ? track1(text, at, &span)
                           : c == '=' || c == 'D' || c == 'd' ? track2(text, at, &span)
                                                              : false;
        if (!found) continue;
        out->push_back(span);
        at = span.end > at ? span.end - 1 : at;
    }
}

bool is_key_serial_number(std::string_view text) noexcept {
    if (text.size() != 20) return false;
    for (size_t i = 0; i < text.size(); ++i)
        if (hex_value(text[i]) < 0 || (i < 4 && hex_value(text[i]) != 0xF)) return false;
    return true;
}

}  // namespace aegis::core

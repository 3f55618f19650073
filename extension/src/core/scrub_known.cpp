// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_known.hpp"

#include <cstdint>

#include "core/scrub_decode.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestIban = 34, kIbanWithBlanks = 44;

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_alnum(char c) {
    return is_upper(c) || is_digit(c) || (c >= 'a' && c <= 'z');
}

// Lengths of the registry of SWIFT; 0 for countries without IBANs.
size_t iban_length(std::string_view country) {
    static constexpr struct {
        size_t length;
        std::string_view countries;
    } kLengths[] = {{15, "NO"},
                    {16, "BE"},
                    {18, "DK FI FO GL NL SD"},
                    {19, "MK SI"},
                    {20, "AT BA EE KZ LT LU XK MN"},
                    {21, "CH HR LI LV"},
                    {22, "BG BH CR DE GB GE IE ME RS VA"},
                    {23, "AE GI IL IQ OM SO TL"},
                    {24, "AD CZ ES MD PK RO SA SE SK TN VG"},
                    {25, "LY PT ST"},
                    {26, "IS TR"},
                    {27, "BI DJ FR GR IT MC MR SM"},
                    {28, "AL AZ BY CY DO GT HU LB NI PL SV"},
                    {29, "BR EG PS QA UA"},
                    {30, "JO KW MU YE"},
                    {31, "MT SC"},
                    {32, "LC"},
                    {33, "RU"}};
    for (const auto &row : kLengths)
        for (size_t at = 0; at + 2 <= row.countries.size(); at += 3)
            if (row.countries.substr(at, 2) == country) return row.length;
    return 0;
}

uint32_t remainder_97(uint32_t before, char c) {
    if (is_digit(c)) return (before * 10 + static_cast<uint32_t>(c - '0')) % 97;
    return (before * 100 + static_cast<uint32_t>(c - 'A') + 10) % 97;
}

// Where the IBAN that begins at `at` ends; 0 when none does.
size_t iban_end(std::string_view text, size_t at) {
    const size_t length = iban_length(text.substr(at, 2));
    if (length == 0) return 0;
    char letters[kLongestIban];
    size_t used = 0, end = at;
    while (used < length && end < text.size()) {
        const char c = text[end++];
        if (c == ' ' || c == '-') continue;
        if (!is_upper(c) && !is_digit(c)) return 0;
        letters[used++] = c;
    }
    if (used < length || (end < text.size() && is_alnum(text[end]))) return 0;
    uint32_t rest = 0;
    for (size_t i = 4; i < length + 4; ++i) rest = remainder_97(rest, letters[i % length]);
    return rest == 1 ? end : 0;
}

bool is_digest_length(size_t length) {
    for (size_t known : {32, 40, 48, 56, 64, 96, 128})
        if (length == known) return true;
    return false;
}

bool is_uuid(std::string_view word) {
    if (word.size() != 36) return false;
    for (size_t i = 0; i < word.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? word[i] != '-' : hex_value(word[i]) < 0) return false;
    }
    return true;
}

}  // namespace

bool is_in_iban(std::string_view text, Span span) noexcept {
    const size_t first = span.begin > kIbanWithBlanks ? span.begin - kIbanWithBlanks : 0;
    for (size_t at = first; at + 4 < span.end; ++at) {
        if (!is_upper(text[at]) || !is_upper(text[at + 1]) || !is_digit(text[at + 2])) continue;
        if (at > 0 && is_alnum(text[at - 1])) continue;
        if (iban_end(text, at) >= span.end) return true;
    }
    return false;
}

bool is_in_digest(std::string_view text, Span span) noexcept {
    size_t begin = span.begin, end = span.end;
    while (begin > 0 && span.begin - begin < 128 &&
           (hex_value(text[begin - 1]) >= 0 || text[begin - 1] == '-'))
        --begin;
    while (end < text.size() && end - span.end < 128 &&
           (hex_value(text[end]) >= 0 || text[end] == '-'))
        ++end;
    if (is_uuid(text.substr(begin, end - begin))) return true;
    begin = span.begin;
    end = span.end;
    while (begin > 0 && span.begin - begin < 128 && hex_value(text[begin - 1]) >= 0) --begin;
    while (end < text.size() && end - span.end < 128 && hex_value(text[end]) >= 0) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    if (!is_digest_length(word.size())) return false;
    size_t letters = 0;
    for (char c : word) {
        if (hex_value(c) < 0) return false;  // the span has something between its digits
        letters += !is_digit(c);
    }
    return letters * 8 >= word.size();
}

bool is_fraction(std::string_view text, Span span) noexcept {
    return span.begin >= 2 && text[span.begin - 1] == '.' && text[span.begin - 2] == '0' &&
           (span.begin == 2 || !is_alnum(text[span.begin - 3]));
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/personal.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestValue = 254;  // an e-mail address; the others are shorter
constexpr size_t kLongestIban = 34;
constexpr size_t kShortestIban = 15;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool is_letter(char c) {
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// One "@", something before it, and a name with a dot and a last label of letters after it.
bool is_email(std::string_view text) {
    size_t at = text.find('@');
    if (at == std::string_view::npos || at == 0 || text.find('@', at + 1) != std::string_view::npos)
        return false;
    for (char c : text)
        if (static_cast<unsigned char>(c) <= ' ') return false;
    std::string_view domain = text.substr(at + 1);
    size_t dot = domain.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || domain.size() - dot < 3) return false;
    for (char c : domain.substr(dot + 1))
        if (!is_letter(c)) return false;
    return true;
}

// ISO 13616: the first four characters go last, letters count from 10, and modulo 97 is left 1.
bool is_iban(std::string_view text) {
    char plain[kLongestIban];
    size_t length = 0;
    for (char c : text) {
        if (c == ' ') continue;
        if (!(is_digit(c) || is_upper(c)) || length == kLongestIban) return false;
        plain[length++] = c;
    }
    if (length < kShortestIban || !is_upper(plain[0]) || !is_upper(plain[1]) ||
        !is_digit(plain[2]) || !is_digit(plain[3]))
        return false;
    int rest = 0;
    for (size_t i = 0; i < length; i++) {
        char c = plain[(i + 4) % length];
        rest = is_digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
    }
    return rest == 1;
}

// 13 to 19 digits in groups, with the check digit of ISO/IEC 7812 (Luhn).
bool is_card(std::string_view text) {
    int digits = 0, sum = 0;
    for (size_t i = text.size(); i-- > 0;) {
        char c = text[i];
        if (c == ' ' || c == '-') continue;
        if (!is_digit(c)) return false;
        int value = (c - '0') << (digits % 2);
        sum += value > 9 ? value - 9 : value;
        digits++;
    }
    return digits >= 13 && digits <= 19 && sum % 10 == 0;
}

// Digits with a "+" or "0" in front and what people write between them. A number without either
// may be anything, and so may one with dots: versions and dates have them.
bool is_phone(std::string_view text) {
    if (text.front() != '+' && text.front() != '0' && text.front() != '(') return false;
    size_t digits = 0, others = 0;
    for (size_t i = 0; i < text.size(); i++) {
        char c = text[i];
        if (is_digit(c))
            digits++;
        else if (c == ' ' || c == '-' || c == '/' || c == '(' || c == ')' || (c == '+' && i == 0))
            others++;
        else
            return false;
    }
    return digits >= 8 && digits <= 15 && (text.front() == '+' || others > 0 || digits <= 12);
}

}  // namespace

PersonalShape personal_shape(std::string_view value) noexcept {
    std::string_view text = trimmed(value);
    if (text.empty() || text.size() > kLongestValue) return PersonalShape::none;
    if (is_email(text)) return PersonalShape::email;
    if (is_iban(text)) return PersonalShape::iban;
    if (is_card(text)) return PersonalShape::card;
    if (is_phone(text)) return PersonalShape::phone;
    return PersonalShape::none;
}

}  // namespace aegis::core

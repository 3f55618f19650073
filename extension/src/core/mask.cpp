// SPDX-License-Identifier: Apache-2.0
#include "core/mask.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kHidden = "***";
constexpr size_t kLongestCharacter = 4;
constexpr int kMostWords = 8;
constexpr size_t kPhoneDigits = 9;  // fewer would be given away

struct Word {
    const char *word;
    Mask mask;
};
constexpr Word kWords[] = {
    {"full", Mask::full},         {"email", Mask::email}, {"last4", Mask::last4},
    {"domain", Mask::domain},     {"phone", Mask::phone}, {"initial", Mask::initial},
    {"initials", Mask::initials}, {"year", Mask::year},   {"card", Mask::card}};

bool starts_character(char c) {
    return (static_cast<uint8_t>(c) & 0xc0) != 0x80;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

std::string_view first_character(std::string_view text) {
    size_t end = 1;
    while (end < text.size() && end < kLongestCharacter && !starts_character(text[end])) ++end;
    return text.substr(0, end);
}

class Output {
 public:
    explicit Output(ByteSpan out) : out_(out) {}
    void put(std::string_view text) {
        const size_t room = out_.size - used_;
        const size_t take = text.size() < room ? text.size() : room;
        if (take) memcpy(out_.data + used_, text.data(), take);
        used_ += take;
    }
    size_t used() const { return used_; }

 private:
    ByteSpan out_;
    size_t used_ = 0;
};

void mask_email(std::string_view value, bool whole_domain, Output *out) {
    const size_t at = value.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == value.size()) return out->put(kHidden);
    const std::string_view domain = value.substr(at + 1);
    if (whole_domain) {
        out->put(kHidden);
        out->put("@");
        return out->put(domain);
    }
    const std::string_view initial = first_character(domain);
    const size_t dot = domain.rfind('.');
    out->put(first_character(value));
    out->put(kHidden);
    out->put("@");
    out->put(initial);
    out->put(kHidden);
    if (dot != std::string_view::npos && dot >= initial.size()) out->put(domain.substr(dot));
}

void mask_last4(std::string_view value, Output *out) {
    size_t characters = 0, start = value.size();
    for (size_t i = value.size(); i-- > 0;) {
        if (!starts_character(value[i])) continue;
        if (++characters == 4) start = i;
    }
    out->put(kHidden);
    if (characters > 8) out->put(value.substr(start));
}

// The first and last digits of a number of at least `least`, whatever stands between them.
void mask_digits(std::string_view value, size_t first, size_t last, size_t least, Output *out) {
    size_t digits = 0;
    for (char c : value) digits += is_digit(c) ? 1 : 0;
    if (digits < least) return out->put(kHidden);
    size_t seen = 0;
    for (size_t i = 0; i < value.size(); ++i) {
        if (!is_digit(value[i])) continue;
        ++seen;
        if (seen <= first || seen > digits - last) out->put(value.substr(i, 1));
        if (seen == first) out->put(kHidden);
    }
}

// The country prefix shows only where it is written; "+" alone says nothing.
void mask_phone(std::string_view value, Output *out) {
    size_t start = 0;
    while (start < value.size() && is_space(value[start])) ++start;
    const bool international = value.substr(start, 1) == "+";
    size_t digits = 0;
    for (char c : value) digits += is_digit(c) ? 1 : 0;
    if (digits < kPhoneDigits) return out->put(kHidden);
    out->put(international ? "+" : kHidden);
    mask_digits(value, international ? 2 : 0, 2, kPhoneDigits, out);
}

// One character would be the whole word.
void mask_word_initial(std::string_view word, Output *out) {
    const std::string_view initial = first_character(word);
    if (initial.size() < word.size()) out->put(initial);
    out->put(kHidden);
}

void mask_initial(std::string_view value, Output *out) {
    if (value.empty()) return out->put(kHidden);
    mask_word_initial(value, out);
}

void mask_initials(std::string_view value, Output *out) {
    int words = 0;
    for (size_t i = 0; i < value.size();) {
        size_t end = i;
        while (end < value.size() && !is_space(value[end])) ++end;
        if (end > i) {
            if (words == kMostWords) return;
            if (words++ > 0) out->put(" ");
            mask_word_initial(value.substr(i, end - i), out);
        }
        i = end + 1;
    }
    if (words == 0) out->put(kHidden);
}

// "1984-05-23" and what follows; years before Christ end with "BC" and are hidden.
void mask_year(std::string_view value, Output *out) {
    size_t digits = 0;
    while (digits < value.size() && is_digit(value[digits])) ++digits;
    const bool is_date = digits >= 4 && digits <= 6 && value.substr(digits, 1) == "-";
    const bool before_christ = value.size() >= 2 && value.substr(value.size() - 2) == "BC";
    out->put(is_date && !before_christ ? value.substr(0, digits) : kHidden);
}

}  // namespace

bool find_mask(std::string_view word, Mask *mask) noexcept {
    for (const Word &known : kWords)
        if (word == known.word) {
            *mask = known.mask;
            return true;
        }
    return false;
}

const char *mask_word(Mask mask) noexcept {
    for (const Word &known : kWords)
        if (mask == known.mask) return known.word;
    return "none";
}

size_t mask_capacity(size_t value_bytes) noexcept {
    // An e-mail's mask is at worst two characters, "***@***", and the last label with its dot;
    // initials add three bytes and a blank to each of their words.
    return value_bytes + 2 * kLongestCharacter + (kMostWords + 1) * (kHidden.size() + 1);
}

size_t mask(Mask how, ByteView value, ByteSpan out) noexcept {
    Output output(out);
    const std::string_view text = as_text(value);
    switch (how) {
        case Mask::none:
            output.put(text);
            break;
        case Mask::full:
            output.put(kHidden);
            break;
        case Mask::email:
        case Mask::domain:
            mask_email(text, how == Mask::domain, &output);
            break;
        case Mask::last4:
            mask_last4(text, &output);
            break;
        case Mask::phone:
            mask_phone(text, &output);
            break;
        case Mask::initial:
            mask_initial(text, &output);
            break;
        case Mask::initials:
            mask_initials(text, &output);
            break;
        case Mask::year:
            mask_year(text, &output);
            break;
        case Mask::card:
            mask_digits(text, 6, 4, 13, &output);
            break;
    }
    return output.used();
}

}  // namespace aegis::core

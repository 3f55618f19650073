// SPDX-License-Identifier: Apache-2.0
#include "core/normalise.hpp"

#include <utf8proc.h>

#include <vector>

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestCharacter = 4;
// What one byte of text can grow to: U+1D160 by NFC, U+FDFA by NFKC_Casefold (the unit test tries
// every code point), and one more because the second works on what the first gave.
constexpr size_t kMostNfcGrowth = 3, kMostCaselessGrowth = 12;

constexpr size_t kFewestPhoneDigits = 7, kMostPhoneDigits = 15;
constexpr char kNotPhone[] = "not a phone number with its country prefix";

constexpr auto kNfc = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto kNfkcCasefold = static_cast<utf8proc_option_t>(
    UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);

// Memory that held plaintext and is wiped.
template <typename Unit>
class Scratch {
 public:
    explicit Scratch(size_t count) : units_(count) {}
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;
    ~Scratch() { wipe({reinterpret_cast<uint8_t *>(units_.data()), units_.size() * sizeof(Unit)}); }
    Unit *data() { return units_.data(); }
    size_t size() const { return units_.size(); }

 private:
    std::vector<Unit> units_;
};

bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

bool is_ascii(ByteView value) {
    uint8_t seen = 0;
    for (size_t i = 0; i < value.size; ++i) seen |= value.data[i];
    return seen < 0x80;
}

// U+00A0, which blanks become in formatted numbers.
bool is_hard_space(ByteView value, size_t at) {
    return at + 1 < value.size && value.data[at] == 0xc2 && value.data[at + 1] == 0xa0;
}

uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + ('a' - 'A')) : c;
}

ByteView trimmed(ByteView value) {
    size_t from = 0, to = value.size;
    while (from < to && is_space(value.data[from])) ++from;
    while (to > from && is_space(value.data[to - 1])) --to;
    return value.slice(from, to - from);
}

size_t copy(ByteView value, ByteSpan out) {
    if (value.size) memmove(out.data, value.data, value.size);
    return value.size;
}

size_t lower_case(ByteView value, ByteSpan out) {
    for (size_t i = 0; i < value.size; ++i) out.data[i] = lower(value.data[i]);
    return value.size;
}

size_t email(ByteView value, ByteSpan out) {
    const size_t size = lower_case(trimmed(value), out);
    size_t at = size;
    while (at > 0 && out.data[at - 1] != '@') --at;  // behind the last "@"
    if (at < 2 || at == size) throw Error{Code::malformed, "not an e-mail address"};
    return size;
}

// Decomposed, ordered, composed; written as UTF-8.
size_t unicode(ByteView value, utf8proc_option_t how, ByteSpan out) {
    const utf8proc_ssize_t bytes = static_cast<utf8proc_ssize_t>(value.size);
    const utf8proc_ssize_t count = utf8proc_decompose(value.data, bytes, nullptr, 0, how);
    if (count < 0) throw Error{Code::malformed, "not a text in UTF-8"};
    Scratch<utf8proc_int32_t> points(static_cast<size_t>(count) + 1);
    utf8proc_decompose(value.data, bytes, points.data(), count, how);
    const utf8proc_ssize_t composed = utf8proc_normalize_utf32(points.data(), count, how);
    if (composed < 0) throw Error{Code::malformed, "not a text in UTF-8"};
    size_t used = 0;
    for (utf8proc_ssize_t i = 0; i < composed; ++i) {
        if (out.size - used < kLongestCharacter)
            throw Error{Code::invalid_argument, "no room for the normalised value"};
        used += static_cast<size_t>(utf8proc_encode_char(points.data()[i], out.data + used));
    }
    return used;
}

size_t keyword(ByteView value, ByteSpan out) {
    return is_ascii(value) ? copy(value, out) : unicode(value, kNfc, out);
}

// Canonically equal texts first get one spelling: the folding goes by characters.
size_t caseless(ByteView value, ByteSpan out) {
    if (is_ascii(value)) return lower_case(trimmed(value), out);
    Scratch<uint8_t> spelled(normalised_capacity(Normaliser::keyword, value.size));
    const size_t size = unicode(value, kNfc, {spelled.data(), spelled.size()});
    const size_t folded = unicode({spelled.data(), size}, kNfkcCasefold, out);
    return copy(trimmed({out.data, folded}), out);
}

// Bytes that separate the digits of a number at `at`; 0 for anything else. "(0)" is the trunk
// prefix that must not be dialled behind a country prefix.
size_t phone_separator(ByteView value, size_t at) {
    const uint8_t c = value.data[at];
    if (c == '(' && at + 2 < value.size && value.data[at + 1] == '0' && value.data[at + 2] == ')')
        return 3;
    if (is_space(c) || c == '.' || c == '-' || c == '(' || c == ')' || c == '/') return 1;
    return is_hard_space(value, at) ? 2 : 0;
}

size_t phone(ByteView value, ByteSpan out) {
    size_t at = 0, used = 0, zeros = 0;
    bool has_prefix = false;
    while (at < value.size) {
        const uint8_t c = value.data[at];
        if (const size_t separator = phone_separator(value, at)) {
            at += separator;
            continue;
        }
        ++at;
        if (c == '+' && !has_prefix && zeros == 0) {
            has_prefix = true;
        } else if (c == '0' && !has_prefix) {
            has_prefix = ++zeros == 2;
        } else if (is_digit(c) && has_prefix && used <= kMostPhoneDigits) {
            if (used == 0) out.data[used++] = '+';
            out.data[used++] = c;
        } else {
            throw Error{Code::malformed, kNotPhone};
        }
    }
    // No country prefix begins with 0.
    if (used < kFewestPhoneDigits + 1 || out.data[1] == '0')
        throw Error{Code::malformed, kNotPhone};
    return used;
}

size_t alnum(ByteView value, ByteSpan out) {
    size_t used = 0;
    for (size_t i = 0; i < value.size; ++i) {
        const uint8_t c = lower(value.data[i]);
        if (c >= 'a' && c <= 'z')
            out.data[used++] = static_cast<uint8_t>(c - ('a' - 'A'));
        else if (is_digit(c))
            out.data[used++] = c;
        else if (is_hard_space(value, i))
            ++i;
        else if (c >= 0x80 || (c < ' ' && !is_space(c)) || c == 0x7f)
            throw Error{Code::malformed, "not made of the letters A to Z and digits"};
    }
    if (used == 0) throw Error{Code::malformed, "without a letter or a digit"};
    return used;
}

}  // namespace

size_t normalised_capacity(Normaliser how, size_t value_bytes) noexcept {
    switch (how) {
        case Normaliser::keyword:
            return value_bytes * kMostNfcGrowth + kLongestCharacter;
        case Normaliser::caseless:
            return value_bytes * kMostCaselessGrowth + kLongestCharacter;
        case Normaliser::phone:
            return kMostPhoneDigits + 1;
        default:
            return value_bytes;
    }
}

size_t normalise(Normaliser how, ByteView value, ByteSpan out) {
    if (out.size < normalised_capacity(how, value.size))
        throw Error{Code::invalid_argument, "no room for the normalised value"};
    switch (how) {
        case Normaliser::none:
        case Normaliser::exact:
            break;
        case Normaliser::email:
            return email(value, out);
        case Normaliser::keyword:
            return keyword(value, out);
        case Normaliser::caseless:
            return caseless(value, out);
        case Normaliser::phone:
            return phone(value, out);
        case Normaliser::alnum:
            return alnum(value, out);
    }
    return copy(value, out);
}

}  // namespace aegis::core

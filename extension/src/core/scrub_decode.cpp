// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_decode.hpp"

#include "core/bytes.hpp"
#include "core/encoding.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestTag = 256, kLongestReference = 12;

bool is_ascii_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The value of `count` hexadecimal digits; false when they are not there.
bool hex_number(std::string_view text, size_t at, size_t count, uint32_t *value) {
    if (at + count > text.size()) return false;
    *value = 0;
    for (size_t i = 0; i < count; ++i) {
        const int digit = hex_value(text[at + i]);
        if (digit < 0) return false;
        *value = *value << 4 | static_cast<uint32_t>(digit);
    }
    return true;
}

struct Named {
    std::string_view name;
    uint32_t point;
};
constexpr Named kNamed[] = {
    {"amp", '&'},      {"lt", '<'},        {"gt", '>'},        {"quot", '"'},
    {"apos", '\''},    {"nbsp", 0xA0},     {"shy", 0xAD},      {"ensp", 0x2002},
    {"emsp", 0x2003},  {"thinsp", 0x2009}, {"hairsp", 0x200A}, {"zwnj", 0x200C},
    {"zwj", 0x200D},   {"hyphen", 0x2010}, {"dash", 0x2010},   {"ndash", 0x2013},
    {"mdash", 0x2014}, {"minus", 0x2212},  {"middot", 0xB7},   {"sol", '/'},
    {"period", '.'},   {"comma", ','},     {"lowbar", '_'},    {"equals", '='},
    {"colon", ':'},    {"semi", ';'},      {"num", '#'},       {"percnt", '%'},
    {"Tab", '\t'},     {"NewLine", '\n'}};

// "&#52;", "&#x34;", "&nbsp;". Returns its length; 0 when it is none.
size_t reference(std::string_view text, size_t at, uint32_t *point) {
    const size_t end = text.substr(at, kLongestReference).find(';');
    if (end == std::string_view::npos || end < 2) return 0;
    const std::string_view body = text.substr(at + 1, end - 1);
    if (body[0] != '#') {
        for (const Named &named : kNamed)
            if (named.name == body) {
                *point = named.point;
                return end + 1;
            }
        return 0;
    }
    const bool hex = body.size() > 2 && (body[1] == 'x' || body[1] == 'X');
    if (body.size() < 2) return 0;
    uint32_t value = 0;
    for (size_t i = hex ? 2 : 1; i < body.size(); ++i) {
        const int digit = hex ? hex_value(body[i]) : is_ascii_digit(body[i]) ? body[i] - '0' : -1;
        if (digit < 0) return 0;
        value = value * (hex ? 16 : 10) + static_cast<uint32_t>(digit);
        if (value > 0x10FFFF) return 0;
    }
    *point = value;
    return end + 1;
}

// "\u0034", "\x34", "\n", "\/". Returns its length; 0 when it is none.
size_t escape(std::string_view text, size_t at, uint32_t *point) {
    if (at + 1 >= text.size()) return 0;
    switch (text[at + 1]) {
        case 'u': {
            if (!hex_number(text, at + 2, 4, point)) return 0;
            uint32_t low;
            const bool high = *point >= 0xD800 && *point < 0xDC00;
            if (high && text.substr(at + 6, 2) == "\\u" && hex_number(text, at + 8, 4, &low) &&
                low >= 0xDC00 && low < 0xE000) {
                *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
                return 12;
            }
            return 6;
        }
        case 'x':
            return hex_number(text, at + 2, 2, point) ? 4 : 0;
        case 'n':
            *point = '\n';
            return 2;
        case 'r':
            *point = '\r';
            return 2;
        case 't':
            *point = '\t';
            return 2;
        case 'b':
            *point = '\b';
            return 2;
        case 'f':
            *point = '\f';
            return 2;
        case '"':
        case '\'':
        case '/':
        case '\\':
            *point = static_cast<uint8_t>(text[at + 1]);
            return 2;
        default:
            return 0;
    }
}

// The length of a tag or comment; 0 when there is none.
size_t tag(std::string_view text, size_t at) {
    if (at + 1 >= text.size()) return 0;
    const char next = text[at + 1];
    if (!is_letter(next) && next != '/' && next != '!' && next != '?') return 0;
    const size_t end = text.substr(at + 1, kLongestTag).find_first_of("<>");
    return end != std::string_view::npos && text[at + 1 + end] == '>' ? end + 2 : 0;
}

// Tags that do not end a word.
bool is_inline(std::string_view whole) {
    if (whole[1] == '!') return true;  // a comment
    size_t from = whole[1] == '/' ? 2 : 1, to = from;
    while (to < whole.size() && (is_letter(whole[to]) || is_ascii_digit(whole[to]))) ++to;
    const std::string_view name = whole.substr(from, to - from);
    for (const char *known : {"b", "i", "u", "s", "em", "strong", "span", "wbr", "font", "a",
                              "code", "small", "mark", "sub", "sup", "tt", "kbd", "bdi", "bdo"})
        if (name == known) return true;
    return false;
}

// What stands at `at` in another form; its length, or 0.
size_t step(std::string_view text, size_t at, Decoded *out) {
    uint32_t point;
    size_t length;
    switch (text[at]) {
        case '%':
            if (!hex_number(text, at + 1, 2, &point)) return 0;
            out->put(static_cast<char>(point), at, at + 3);  // a byte: of UTF-8, or of Latin 1
            return 3;
        case '&':
            length = reference(text, at, &point);
            break;
        case '\\':
            length = escape(text, at, &point);
            break;
        case '<':
            length = tag(text, at);
            if (length != 0 && is_inline(text.substr(at, length))) return length;
            point = ' ';
            break;
        case '+': {
            const bool inside = at > 0 && at + 1 < text.size() && is_ascii_digit(text[at - 1]) &&
                                is_ascii_digit(text[at + 1]);
            if (!inside) return 0;
            point = ' ';
            length = 1;
            break;
        }
        case '=':
            if (text.substr(at + 1, 1) == "\n") return 2;
            return text.substr(at + 1, 2) == "\r\n" ? 3 : 0;
        default:
            return 0;
    }
    if (length != 0) out->put_point(point, at, at + length);
    return length;
}

constexpr size_t kFirstBytes = 9;

// The beginning of a text in UTF-8, or of chip data: a tag, or that of a template around tags.
bool is_promising(const uint8_t *bytes, size_t count) {
    if (count == 0) return false;
    switch (bytes[0]) {
        case 0x56:
        case 0x57:
        case 0x5A:
        case 0x5F:
        case 0x61:
        case 0x6F:
        case 0x70:
        case 0x77:
        case 0x9F:
        case 0xE1:
        case 0xFF:
            return true;
    }
    for (size_t i = 0; i < count;) {
        const uint8_t byte = bytes[i++];
        if (byte < 0x80) {
            if (byte == 0x7F || (byte < ' ' && (byte < '\t' || byte > '\r'))) return false;
            continue;
        }
        if (byte < 0xC2 || byte > 0xF4) return false;
        for (int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1; more > 0 && i < count; --more)
            if ((bytes[i++] & 0xC0) != 0x80) return false;
    }
    return true;
}

// Of base64 and base64url; -1: none.
struct Alphabet {
    int8_t value[256];
};

constexpr Alphabet make_alphabet() {
    Alphabet made{};
    for (int8_t &value : made.value) value = -1;
    int8_t next = 0;
    for (char c = 'A'; c <= 'Z'; ++c) made.value[static_cast<uint8_t>(c)] = next++;
    for (char c = 'a'; c <= 'z'; ++c) made.value[static_cast<uint8_t>(c)] = next++;
    for (char c = '0'; c <= '9'; ++c) made.value[static_cast<uint8_t>(c)] = next++;
    made.value[static_cast<uint8_t>('+')] = made.value[static_cast<uint8_t>('-')] = 62;
    made.value[static_cast<uint8_t>('/')] = made.value[static_cast<uint8_t>('_')] = 63;
    return made;
}

constexpr Alphabet kAlphabet = make_alphabet();

int base64_value(char c) {
    return kAlphabet.value[static_cast<uint8_t>(c)];
}

bool introduces(char c) {
    return c == '%' || c == '&' || c == '\\' || c == '<' || c == '+' || c == '=';
}

bool begins(std::string_view text, size_t at) {
    Decoded thrown_away;
    return step(text, at, &thrown_away) != 0;
}

}  // namespace

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void Decoded::put(char byte, size_t from, size_t to) {
    text += byte;
    begin.push_back(static_cast<uint32_t>(from));
    end.push_back(static_cast<uint32_t>(to));
}

void Decoded::put_point(uint32_t point, size_t from, size_t to) {
    const auto byte = [&](uint32_t value) { put(static_cast<char>(value), from, to); };
    if (point >= 0xD800 && point < 0xE000) point = 0xFFFD;  // half a pair is no character
    if (point < 0x80) return byte(point);
    if (point < 0x800) {
        byte(0xC0 | point >> 6);
    } else if (point < 0x10000) {
        byte(0xE0 | point >> 12);
        byte(0x80 | (point >> 6 & 0x3F));
    } else {
        byte(0xF0 | point >> 18);
        byte(0x80 | (point >> 12 & 0x3F));
        byte(0x80 | (point >> 6 & 0x3F));
    }
    byte(0x80 | (point & 0x3F));
}

bool decode_references(std::string_view text, Decoded *out) {
    // Most texts that hold such a character hold nothing that it introduces.
    size_t at = 0;
    while (at < text.size() && !(introduces(text[at]) && begins(text, at))) ++at;
    if (at == text.size()) return false;
    out->text.reserve(text.size());
    out->begin.reserve(text.size());
    out->end.reserve(text.size());
    for (size_t i = 0; i < at; ++i) out->put(text[i], i, i + 1);
    while (at < text.size()) {
        const size_t length = step(text, at, out);
        if (length == 0) out->put(text[at], at, at + 1);
        at += length == 0 ? 1 : length;
    }
    return true;
}

std::string decode_json_string(std::string_view text) {
    Decoded out;
    out.text.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        uint32_t point;
        const size_t length = text[at] == '\\' ? escape(text, at, &point) : 0;
        if (length == 0)
            out.text += text[at++];
        else
            out.put_point(point, at, at + length);
        at += length;
    }
    return std::move(out.text);
}

bool decode_base64(std::string_view word, std::string *out) {
    while (!word.empty() && word.back() == '=') word.remove_suffix(1);
    out->clear();
    uint32_t bits = 0;
    int held = 0;
    for (char c : word) {
        const int value = base64_value(c);
        if (value < 0) return false;
        bits = bits << 6 | static_cast<uint32_t>(value);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        *out += static_cast<char>(bits >> held & 0xFF);
    }
    return word.size() % 4 != 1;
}

bool may_decode_base64(std::string_view word) noexcept {
    uint8_t bytes[kFirstBytes];
    size_t count = 0;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < word.size() && count < kFirstBytes; ++i) {
        const int value = base64_value(word[i]);
        if (value < 0) return false;
        bits = bits << 6 | static_cast<uint32_t>(value);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes[count++] = static_cast<uint8_t>(bits >> held);
    }
    return is_promising(bytes, count);
}

bool may_decode_hex(std::string_view word) noexcept {
    uint8_t bytes[kFirstBytes];
    size_t count = 0;
    if (word.size() % 2 != 0) return false;
    for (; count < kFirstBytes && count * 2 < word.size(); ++count) {
        const int high = hex_value(word[count * 2]), low = hex_value(word[count * 2 + 1]);
        if (high < 0 || low < 0) return false;
        bytes[count] = static_cast<uint8_t>(high << 4 | low);
    }
    return is_promising(bytes, count);
}

bool decode_hex(std::string_view word, std::string *out) {
    out->clear();
    if (word.size() % 2 != 0) return false;
    for (size_t i = 0; i < word.size(); i += 2) {
        const int high = hex_value(word[i]), low = hex_value(word[i + 1]);
        if (high < 0 || low < 0) return false;
        *out += static_cast<char>(high << 4 | low);
    }
    return true;
}

bool is_printable(std::string_view text) noexcept {
    bool ascii = true;
    for (char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if ((byte < ' ' && (byte < '\t' || byte > '\r')) || byte == 0x7F) return false;
        ascii &= byte < 0x80;
    }
    return ascii || is_text(as_bytes(text));
}

}  // namespace aegis::core

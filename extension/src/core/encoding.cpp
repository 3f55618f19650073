// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"

#include <cstring>
#include <string>

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kBase64Url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char kBase32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr uint8_t kNoDigit = 0xff;

// True for eight ASCII characters none of which is U+0000. (It may be false for some that are.)
bool is_plain(uint64_t eight) {
    return ((eight | (eight - 0x0101010101010101)) & 0x8080808080808080) == 0;
}
template <typename Word>
uint64_t load(const uint8_t *from) {
    Word word;
    memcpy(&word, from, sizeof word);
    return word;
}
bool is_plain(const uint8_t *eight) {
    return is_plain(load<uint64_t>(eight));
}

// The same for names of any length from four on, in words that may overlap.
bool is_plain(ByteView text) {
    const uint8_t *at = text.data, *end = text.data + text.size;
    if (text.size < 4) return false;
    if (text.size < 8) return is_plain(load<uint32_t>(at) | load<uint32_t>(end - 4) << 32);
    for (; end - at > 8; at += 8)
        if (!is_plain(at)) return false;
    return is_plain(end - 8);
}

struct DigitTable {
    uint8_t value[256];
};

constexpr DigitTable base64url_digits() {
    DigitTable table{};
    for (uint8_t &v : table.value) v = kNoDigit;
    for (uint8_t i = 0; i < 64; ++i) table.value[static_cast<uint8_t>(kBase64Url[i])] = i;
    return table;
}

constexpr DigitTable hex_digits() {
    DigitTable table{};
    for (uint8_t &v : table.value) v = kNoDigit;
    for (uint8_t i = 0; i < 16; ++i) table.value[static_cast<uint8_t>(kHexDigits[i])] = i;
    for (uint8_t i = 0; i < 6; ++i) table.value['A' + i] = static_cast<uint8_t>(10 + i);
    return table;
}

constexpr DigitTable kFromBase64Url = base64url_digits();
constexpr DigitTable kFromHex = hex_digits();

}  // namespace

size_t hex_size(size_t bytes) noexcept {
    return bytes * 2;
}

void to_hex(ByteView bytes, char *out) noexcept {
    for (size_t i = 0; i < bytes.size; ++i) {
        out[2 * i] = kHexDigits[bytes.data[i] >> 4];
        out[2 * i + 1] = kHexDigits[bytes.data[i] & 15];
    }
}

void from_hex(std::string_view text, ByteSpan out) {
    if (text.size() != hex_size(out.size))
        throw Error{Code::malformed, "wrong number of hexadecimal digits"};
    uint8_t seen = 0;
    for (size_t i = 0; i < out.size; ++i) {
        const uint8_t high = kFromHex.value[static_cast<uint8_t>(text[2 * i])];
        const uint8_t low = kFromHex.value[static_cast<uint8_t>(text[2 * i + 1])];
        seen |= high | low;
        out.data[i] = static_cast<uint8_t>(high << 4 | (low & 15));
    }
    if (seen & 0xf0) {
        wipe(out);
        throw Error{Code::malformed, "not a hexadecimal digit"};
    }
}

size_t base32_size(size_t bytes) noexcept {
    return (bytes * 8 + 4) / 5;
}

void to_base32(ByteView bytes, char *out) noexcept {
    uint32_t held = 0;
    int bits = 0;
    for (size_t i = 0; i < bytes.size; ++i) {
        held = held << 8 | bytes.data[i];
        for (bits += 8; bits >= 5; bits -= 5) *out++ = kBase32[held >> (bits - 5) & 31];
    }
    if (bits > 0) *out++ = kBase32[held << (5 - bits) & 31];
}

size_t base64url_size(size_t bytes) noexcept {
    return bytes / 3 * 4 + (bytes % 3 ? bytes % 3 + 1 : 0);
}

void to_base64url(ByteView bytes, char *out) noexcept {
    const uint8_t *in = bytes.data;
    size_t left = bytes.size;
    for (; left >= 3; left -= 3, in += 3, out += 4) {
        const uint32_t group = static_cast<uint32_t>(in[0]) << 16 | in[1] << 8 | in[2];
        out[0] = kBase64Url[group >> 18];
        out[1] = kBase64Url[group >> 12 & 63];
        out[2] = kBase64Url[group >> 6 & 63];
        out[3] = kBase64Url[group & 63];
    }
    if (left == 0) return;
    const uint32_t group = static_cast<uint32_t>(in[0]) << 16 | (left == 2 ? in[1] << 8 : 0);
    out[0] = kBase64Url[group >> 18];
    out[1] = kBase64Url[group >> 12 & 63];
    if (left == 2) out[2] = kBase64Url[group >> 6 & 63];
}

size_t base64url_decoded_size(std::string_view text) {
    if (text.size() % 4 == 1)
        throw Error{Code::malformed, "base64url text has an impossible length"};
    return text.size() / 4 * 3 + (text.size() % 4 ? text.size() % 4 - 1 : 0);
}

void from_base64url(std::string_view text, ByteSpan out) {
    if (base64url_decoded_size(text) != out.size)
        throw Error{Code::malformed, "base64url text has the wrong length"};
    const uint8_t *in = reinterpret_cast<const uint8_t *>(text.data());
    const uint8_t *table = kFromBase64Url.value;
    uint8_t *to = out.data;
    size_t left = text.size();
    uint32_t seen = 0;
    for (; left >= 4; left -= 4, in += 4, to += 3) {
        const uint32_t a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
        seen |= a | b | c | d;
        const uint32_t group = a << 18 | b << 12 | c << 6 | d;
        to[0] = static_cast<uint8_t>(group >> 16);
        to[1] = static_cast<uint8_t>(group >> 8);
        to[2] = static_cast<uint8_t>(group);
    }
    if (left) {  // 2 or 3 digits; bits beyond the last byte must be zero, or one value had two
                 // texts
        const uint32_t a = table[in[0]], b = table[in[1]], c = left == 3 ? table[in[2]] : 0;
        seen |= a | b | c;
        const uint32_t group = a << 18 | b << 12 | c << 6;
        to[0] = static_cast<uint8_t>(group >> 16);
        if (left == 3) to[1] = static_cast<uint8_t>(group >> 8);
        if (left == 2 ? (b & 15) != 0 : (c & 3) != 0) seen |= kNoDigit;
    }
    if (seen & 0xc0) {
        wipe(out);
        throw Error{Code::malformed, "not canonical base64url text"};
    }
}

size_t base64_size(size_t bytes) noexcept {
    return (bytes + 2) / 3 * 4;
}

void to_base64(ByteView bytes, char *out) noexcept {
    to_base64url(bytes, out);
    const size_t used = base64url_size(bytes.size);
    for (size_t i = 0; i < used; ++i) out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
    for (size_t i = used; i < base64_size(bytes.size); ++i) out[i] = '=';
}

size_t base64_decoded_size(std::string_view text) {
    if (text.size() % 4 != 0) throw Error{Code::malformed, "base64 text has an impossible length"};
    size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    return base64url_decoded_size(text.substr(0, text.size() - padding));
}

void from_base64(std::string_view text, ByteSpan out) {
    if (base64_decoded_size(text) != out.size)
        throw Error{Code::malformed, "base64 text has the wrong length"};
    std::string url(text.substr(0, base64url_size(out.size)));
    for (char &c : url) {
        if (c == '-' || c == '_') throw Error{Code::malformed, "not canonical base64 text"};
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    from_base64url(url, out);
}

bool is_text(ByteView text) noexcept {
    if (is_plain(text)) return true;
    const uint8_t *at = text.data, *end = text.data + text.size;
    for (;;) {
        while (end - at >= 8 && is_plain(at)) at += 8;
        if (at == end) return true;
        const uint8_t lead = *at++;
        if (lead == 0) return false;
        if (lead < 0x80) continue;
        const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || end - at < more) return false;
        uint8_t low = 0x80, high = 0xbf;  // of the second byte
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
        for (int i = 0; i < more; ++i, low = 0x80, high = 0xbf)
            if (at[i] < low || at[i] > high) return false;
        at += more;
    }
}

bool looks_like_armor(std::string_view text) noexcept {
    return text.substr(0, kArmorPrefix.size()) == kArmorPrefix;
}

size_t armor_size(size_t envelope_bytes) noexcept {
    return kArmorPrefix.size() + base64url_size(envelope_bytes);
}

void to_armor(ByteView envelope, char *out) noexcept {
    memcpy(out, kArmorPrefix.data(), kArmorPrefix.size());
    to_base64url(envelope, out + kArmorPrefix.size());
}

size_t armor_decoded_size(std::string_view armor) {
    if (!looks_like_armor(armor))
        throw Error{Code::malformed, "not the text form of a sealed value"};
    return base64url_decoded_size(armor.substr(kArmorPrefix.size()));
}

void from_armor(std::string_view armor, ByteSpan out) {
    if (!looks_like_armor(armor))
        throw Error{Code::malformed, "not the text form of a sealed value"};
    from_base64url(armor.substr(kArmorPrefix.size()), out);
}

}  // namespace aegis::core

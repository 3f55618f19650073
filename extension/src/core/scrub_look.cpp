// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_look.hpp"

#include <algorithm>
#include <array>

#include "core/scrub_iin.hpp"

namespace aegis::core {

namespace {

constexpr uint8_t kStop = 128;  // a quote

struct Classes {
    std::array<uint8_t, 256> seen{}, digit{};
    std::array<uint32_t, 256> run{}, word{};  // all bits: it goes on
};

constexpr Classes make_classes() {
    Classes made;
    for (unsigned i = 0; i < 256; ++i) {
        const char c = static_cast<char>(i);
        const bool digit = c >= '0' && c <= '9';
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        uint8_t seen = 0;
        if (digit) seen |= kLookDigit;
        if (i >= 0x80) seen |= kLookForeign;
        if (c == '%' || c == '&' || c == '<' || c == '+' || c == '\\') seen |= kLookEncoded;
        if (c == '=' || c == ':' || c == '>') seen |= kLookAssigns;
        if (c == '\\') seen |= kLookEscape | kStop;
        if (c == '"') seen |= kStop;
        if (i < 0x20) seen |= kLookControl;
        bool separates = i >= 0x80;
        for (char one :
             {' ', '\t', '\n', '\r', '\v', '\f', '-', '.', '_', '/', ',', '*', '|', '\''})
            separates |= c == one;
        made.seen[i] = seen;
        made.digit[i] = digit;
        made.run[i] = digit || separates ? ~0u : 0;
        made.word[i] = digit || letter || c == '+' || c == '/' || c == '-' || c == '_' ? ~0u : 0;
    }
    return made;
}

constexpr Classes kClasses = make_classes();

template <bool kString>
Look look(std::string_view text) {
    Look found = {std::string_view::npos, 0, 0, 0};
    uint32_t run = 0, word = 0;
    uint8_t seen = 0;
    size_t at = 0;
    for (; at < text.size(); ++at) {
        const auto byte = static_cast<uint8_t>(text[at]);
        const uint8_t what = kClasses.seen[byte];
        if (kString && (what & kStop)) {
            if (byte == '"') {
                found.size = at;
                break;
            }
            if (++at == text.size()) break;  // the escaped character belongs to it
            seen |= what;
            run = word = 0;
            continue;
        }
        seen |= what;
        run = (run + kClasses.digit[byte]) & kClasses.run[byte];
        word = (word + 1) & kClasses.word[byte];
        found.run = std::max(found.run, run);
        found.word = std::max(found.word, word);
    }
    if (!kString) found.size = at;
    found.seen = seen & static_cast<uint8_t>(~kStop);
    return found;
}

}  // namespace

Look look_at(std::string_view text) noexcept {
    return look<false>(text);
}

Look look_at_string(std::string_view text) noexcept {
    return look<true>(text);
}

bool begins_like_json(std::string_view text) noexcept {
    for (char c : text)
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return c == '{' || c == '[' || c == '"';
    return false;
}

bool deserves_a_scan(const Look &look, std::string_view text) noexcept {
    const bool digits = look.seen & kLookDigit;
    return look.run >= kFewestPanDigits || look.word >= kShortestWord ||
           (look.seen & (kLookForeign | kLookEscape)) ||
           (digits && (look.seen & (kLookEncoded | kLookAssigns))) || begins_like_json(text);
}

}  // namespace aegis::core

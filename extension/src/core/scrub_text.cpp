// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_decode.hpp"
#include "core/scrub_ladder.hpp"
#include "core/scrub_iin.hpp"
#include "core/scrub_look.hpp"
#include "core/scrub_number.hpp"
#include "core/scrub_tlv.hpp"
#include "core/scrub_track.hpp"

namespace aegis::core {

namespace {

struct Characters {
    bool is_word[256];  // of base64 and base64url
    bool is_letter_or_digit[256];
};

constexpr Characters make_characters() {
    Characters made{};
    for (unsigned i = 0; i < 256; ++i) {
        const char c = static_cast<char>(i);
        made.is_letter_or_digit[i] =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        made.is_word[i] =
            made.is_letter_or_digit[i] || c == '+' || c == '/' || c == '-' || c == '_';
    }
    return made;
}

constexpr Characters kCharacters = make_characters();

bool is_word(char c) {
    return kCharacters.is_word[static_cast<uint8_t>(c)];
}

// What a word holds when it is decoded; false when nothing.
bool decoded_holds(const std::string &decoded, const Around &around, Edit *edit) {
    if (is_emv(as_bytes(decoded))) {
        *edit = mark(0, 0, CardData::emv);
        return true;
    }
    if (!is_printable(decoded)) return false;
    Edits inner;
    scan_text(decoded, around.deeper(), &inner);
    if (inner.empty()) return false;
    settle(&inner);
    *edit = mark(0, 0, inner[0].kind);
    for (const Edit &one : inner) edit->kinds |= one.kinds;
    return true;
}

// Hexadecimal or base64: a word as a whole, and from the second character of 0x….
bool word_holds(std::string_view word, const Around &around, Edit *edit) {
    std::string decoded;
    // 0x34… of programs, \x34… of PostgreSQL.
    const size_t prefix = (word[0] | 0x20) == 'x'                     ? 1
                          : word[0] == '0' && (word[1] | 0x20) == 'x' ? 2
                                                                      : 0;
    const std::string_view hex = word.substr(prefix);
    if (may_decode_hex(hex) && decode_hex(hex, &decoded) && decoded_holds(decoded, around, edit))
        return true;
    return may_decode_base64(word) && decode_base64(word, &decoded) &&
           decoded_holds(decoded, around, edit);
}

bool piece_holds(std::string_view word, const Around &around, Edit *edit) {
    if (word_holds(word, around, edit)) return true;
    for (size_t at = 0; at < word.size();) {
        size_t end = at;
        while (end < word.size() && kCharacters.is_letter_or_digit[static_cast<uint8_t>(word[end])])
            ++end;
        const std::string_view piece = word.substr(at, end - at);
        if (piece.size() >= kShortestWord && piece.size() < word.size() &&
            word_holds(piece, around, edit))
            return true;
        at = end + 1;
    }
    return false;
}

void scan_words(std::string_view text, const Around &around, Edits *edits) {
    for (size_t at = 0; at < text.size();) {
        size_t end = at;
        while (end < text.size() && is_word(text[end])) ++end;
        if (end - at >= kShortestWord) {
            while (end < text.size() && text[end] == '=' && end - at < text.size()) ++end;
            Edit edit;
            std::string_view word = text.substr(at, end - at);
            if (is_key_serial_number(word)) {
                edits->push_back(mark(at, end, CardData::ksn));
            } else if (piece_holds(word, around, &edit)) {
                edit.begin = at;
                edit.end = end;
                edits->push_back(std::move(edit));
            }
        }
        at = end + 1;
    }
}

void scan_numbers(std::string_view text, const Around &around, Edits *edits) {
    std::vector<Span> spans;
    find_pans(text, around.card, &spans);
    const size_t numbers = spans.size();
    find_tracks(text, &spans);
    for (size_t i = 0; i < spans.size(); ++i) {
        const Span &span = spans[i];
        edits->push_back(mark(span.begin, span.end, i < numbers ? CardData::pan : CardData::track));
        find_companions(text, span.begin, span.end, edits);
    }
}

void scan_decoded(std::string_view text, const Around &around, Edits *edits) {
    Decoded decoded;
    if (!decode_references(text, &decoded)) return;
    Edits inner;
    scan_text(decoded.text, around.deeper(), &inner);
    for (const Edit &one : inner) {
        if (one.begin == one.end) continue;
        Edit edit = mark(decoded.begin[one.begin], decoded.end[one.end - 1], one.kind);
        edit.kinds = one.kinds;
        edits->push_back(std::move(edit));
    }
}

}  // namespace

void scan_text(std::string_view text, const Around &around, Edits *edits) {
    scan_text(text, look_at(text), around, edits);
}

void scan_text(std::string_view text, const Look &look, const Around &around, Edits *edits) {
    if (text.size() > *around.left) {
        *around.left = 0;
        edits->push_back(mark(0, text.size(), CardData::undecoded));
        return;
    }
    *around.left -= text.size();
    if (!deserves_a_scan(look, text)) return;
    const bool deeper = around.depth < kDeepestLadder;
    if (deeper && scan_json(text, around.deeper(), edits)) return;
    if (look.run >= kFewestPanDigits || (look.seen & kLookForeign))
        scan_numbers(text, around, edits);
    if (around.keys && (look.seen & kLookAssigns)) find_assigned(text, false, edits);
    if (deeper && look.word >= kShortestWord) scan_words(text, around, edits);
    const bool soft_ends = (look.seen & kLookAssigns) && (look.seen & kLookControl);
    if (deeper && (soft_ends || (look.seen & kLookEncoded))) scan_decoded(text, around, edits);
}

}  // namespace aegis::core

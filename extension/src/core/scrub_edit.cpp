// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_edit.hpp"

#include <algorithm>

namespace aegis::core {

const char *card_data_word(CardData kind) noexcept {
    switch (kind) {
        case CardData::pan:
            return "pan";
        case CardData::track:
            return "track";
        case CardData::emv:
            return "emv";
        case CardData::ksn:
            return "ksn";
        case CardData::expiry:
            return "expiry";
        case CardData::key:
            return "key";
        case CardData::undecoded:
            return "undecoded";
    }
    return "undecoded";
}

std::string_view card_data_mark(CardData kind) noexcept {
    switch (kind) {
        case CardData::pan:
            return "[scrubbed:pan]";
        case CardData::track:
            return "[scrubbed:track]";
        case CardData::emv:
            return "[scrubbed:emv]";
        case CardData::ksn:
            return "[scrubbed:ksn]";
        case CardData::expiry:
            return "[scrubbed:expiry]";
        case CardData::key:
            return "[scrubbed:key]";
        case CardData::undecoded:
            return "[scrubbed:undecoded]";
    }
    return "[scrubbed:undecoded]";
}

Edit mark(size_t begin, size_t end, CardData kind) {
    const auto bit = static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
    return {begin, end, kind, bit, std::string(card_data_mark(kind)), {}};
}

void settle(Edits *edits) {
    if (edits->size() < 2) return;
    // Of those that begin together the longest first, so that it is the one that stays.
    std::stable_sort(edits->begin(), edits->end(), [](const Edit &a, const Edit &b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    size_t kept = 0;
    for (size_t i = 1; i < edits->size(); ++i) {
        Edit &last = (*edits)[kept], &next = (*edits)[i];
        if (next.begin < last.end) {
            last.kinds |= next.kinds;
            if (next.end <= last.end) continue;
            // Neither covers the other: one constant for both.
            last.end = next.end;
            last.replacement = std::string(card_data_mark(last.kind));
        } else if (++kept != i) {
            (*edits)[kept] = std::move(next);
        }
    }
    edits->resize(kept + 1);
}

std::string apply(std::string_view text, const Edits &edits) {
    std::string out;
    out.reserve(text.size());
    size_t at = 0;
    for (const Edit &edit : edits) {
        out.append(text, at, edit.begin - at);
        out += edit.replacement;
        at = edit.end;
    }
    out.append(text, at);
    return out;
}

}  // namespace aegis::core

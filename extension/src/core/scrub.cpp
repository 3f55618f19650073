// SPDX-License-Identifier: Apache-2.0
#include "core/scrub.hpp"

#include "core/scrub_ladder.hpp"

namespace aegis::core {

namespace {

// How much may be looked at: each byte some times, on every step of the ladder.
constexpr size_t kTimes = 24, kAtLeast = 65536;

Edits edits_of(std::string_view text, ScrubProfile profile) {
    size_t left = text.size() * kTimes + kAtLeast;
    const Around around = {false, profile == ScrubProfile::payload, 0, &left};
    Edits edits;
    if (!scan_json(text, around, &edits)) scan_text(text, around, &edits);
    settle(&edits);
    return edits;
}

}  // namespace

Scrubbed scrub(std::string_view text, ScrubProfile profile) {
    const Edits edits = edits_of(text, profile);
    Scrubbed result = {!edits.empty(), {}, {}};
    if (edits.empty()) return result;
    result.text = apply(text, edits);
    for (const Edit &edit : edits)
        for (unsigned kind = 0; kind <= static_cast<unsigned>(CardData::undecoded); ++kind)
            if (edit.kinds >> kind & 1)
                result.findings.push_back({static_cast<CardData>(kind), edit.pointer});
    return result;
}

bool has_card_data(std::string_view text, ScrubProfile profile) {
    return !edits_of(text, profile).empty();
}

}  // namespace aegis::core

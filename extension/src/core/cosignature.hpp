// SPDX-License-Identifier: Apache-2.0
// What witnesses say about a checkpoint (C2SP tlog-cosignature with Ed25519): taken from their
// answers, kept as lines of the note, and counted. docs/format/cosignature-v1.md.
#pragma once

#include <string>
#include <vector>

#include "core/note.hpp"

namespace aegis::core {

// An answer holds a line for each key of the witness; what is longer is none.
inline constexpr size_t kMaxCosignatureAnswerBytes = 4096;

struct Cosignature {
    std::string line;        // with its line end, as it stands in a note
    uint64_t timestamp = 0;  // seconds since the Unix epoch that the witness vouches for
};

// The cosignature by this key among the lines of an answer. Throws malformed when they are no
// signature lines, and cannot_open when the key has none there, or one that does not verify.
Cosignature take_cosignature(std::string_view text, std::string_view answer,
                             const NoteKey &witness);

// The note with these signature lines behind its own; a line of a name and id that it has already
// is left out. Throws malformed.
std::string with_signatures(std::string_view note, std::string_view lines);

struct Cosigner {
    size_t witness;  // its place among the keys that were given
    uint64_t timestamp;
};
// Those of the witnesses that cosigned the note, in their order. Throws cannot_open when one of
// their cosignatures does not verify: somebody tried.
std::vector<Cosigner> cosigners_of(const Note &note, const std::vector<NoteKey> &witnesses);

}  // namespace aegis::core

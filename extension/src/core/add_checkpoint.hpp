// SPDX-License-Identifier: Apache-2.0
// The request of C2SP tlog-witness "add-checkpoint": a new head of a log, with the proof that it
// extends the head that was signed last; and the decision of whoever signs.
// docs/format/checkpoint-v1.md.
#pragma once

#include "core/checkpoint.hpp"

namespace aegis::core {

inline constexpr size_t kMaxAddCheckpointBytes = 8192;

struct AddCheckpoint {
    uint64_t old = 0;       // size of the last signed head, as the log knows it
    Proof proof;            // that the new head extends it; empty for 0
    std::string_view text;  // of the new head: origin, size, root
};

// "old SIZE\n", one line for each hash, an empty line, the text.
std::string format_add_checkpoint(const AddCheckpoint &request);
AddCheckpoint parse_add_checkpoint(std::string_view body);  // throws malformed

enum class Verdict {
    sign,
    shorter,   // the new head is below the size that it claims to extend
    conflict,  // another size was signed last
    unproven,  // the proof does not hold
    fork,      // the same size with another root
};

// What to answer when `last` is what was signed last for this log. last.size 0: nothing yet.
Verdict judge(const Checkpoint &last, const AddCheckpoint &request, const Checkpoint &next);

}  // namespace aegis::core

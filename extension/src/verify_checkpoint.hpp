// SPDX-License-Identifier: Apache-2.0
// Compares signed checkpoints, those of aegis.checkpoint and one that the caller kept, with the
// root log while it is rebuilt.
#pragma once

#include "core/merkle.hpp"
#include "verify_cursor.hpp"
#include "verify_report.hpp"

namespace aegis::verify_checkpoint {

inline constexpr int kMaxOrigin = 1024;

struct Checkpoint {
    bool valid;
    char origin[kMaxOrigin];
    uint64 size;
    core::Digest root;
};

struct Kept {  // by the caller
    const char *name;
    Checkpoint note;
    bool believed;  // about this log, and signed where signatures can be checked
    bool reached;
};

// Starts zeroed but for `report`.
struct State {
    verify::Report *report;
    verify::Cursor rows;
    int64 last_number;
    int64 last_seal;
    bool own_begun;  // a checkpoint of the log that this database has now was seen
    int64 others;    // checkpoints of logs that it had before
    // The newest one that holds.
    int64 number, seal;
    Checkpoint newest;
    TimestampTz signed_at;
    Kept kept[2];
};

// Signed notes that were kept, or nullptr: one that the ledger must contain, and one from which the
// verification is to start. ERROR when it is none. Needs an SPI connection.
void open(State *state, const char *given, const char *start);
// The one to start from; nullptr when there is none, or it is not to be believed.
const Checkpoint *start(const State *state);
// After every leaf of the root log.
void at_head(State *state, const core::Frontier &root_log);
// After every seal, and at the end.
void at_seal(State *state, int64 seal, const core::Frontier &root_log);
void finish(State *state, const core::Frontier &root_log);
// "signed up to seal ...", or "not signed".
const char *standing(const State *state);

}  // namespace aegis::verify_checkpoint

// SPDX-License-Identifier: Apache-2.0
// Which leaves may be without an entry: those below a cut that an entry of the same log records.
// docs/retention.md.
#pragma once

#include "core/merkle.hpp"
#include "verify_report.hpp"

namespace aegis::verify_cut {

struct Cut {
    int32 log;
    int64 size;  // as the entry says; 0 when it says nothing of use
    int64 column_size, seal, seq;
    core::Digest leaf, root;
    core::ByteView frontier, body;
    uint64 xid;
    int32 epoch;
    const char *told;  // when, by whom, why
    bool met;          // a head of this size was compared
    bool recorded;     // its entry is a leaf of the log
    bool faulty;       // reported
};

// Starts zeroed but for `report`.
struct State {
    verify::Report *report;
    int count;
    Cut *cuts;  // by log and size
};

struct Log {
    int32 number;
    const char *name;
    core::ByteView tenant;  // empty: the system's
};

// Reads aegis.ledger_cut. Needs an SPI connection.
void read(State *state);
// The cuts of a log against what their entries say. Returns the size below which its leaves may be
// without an entry.
int64 begin(State *state, const Log &log);
// Leaves of a log with cuts, in order.
void at_leaf(State *state, const Log &log, int64 leaf, int64 seq, const core::Digest &hash);
// A head of a log with cuts, rebuilt.
void at_head(State *state, const Log &log, int64 seal, const core::Frontier &frontier);
// Instead of both, for what lies below the size from which the log is verified.
void pass_over(State *state, const Log &log, int64 size);
struct Hollow {  // leaves without an entry
    int64 count;
    int64 end;  // one more than the last of them
};

// After the last seal. is_due: whether its transaction must be sealed by now; whole: all leaves and
// heads were compared.
void finish(State *state, const Log &log, bool (*is_due)(void *, int32 epoch, uint64 xid),
            void *argument, const Hollow &hollow, bool whole);

}  // namespace aegis::verify_cut

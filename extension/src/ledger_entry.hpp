// SPDX-License-Identifier: Apache-2.0
// The table of entries: numbers them, puts them straight into the right partition, and makes
// partitions ahead of time. docs/ledger.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ledger_entry {

// Entries per partition. A verifier holds the leaves of about two partitions in memory.
inline constexpr int64 kPartitionEntries = 4 * 1024 * 1024;

// Columns of aegis.entry, in order.
enum Column { kSeq, kXid, kEpoch, kOrdinal, kTenant, kLeaf, kBody, kColumns };

struct Row {
    uint64 xid;
    int32 epoch;
    int32 ordinal;
    const pg_uuid_t *tenant;  // nullptr: the system's own
    core::ByteView leaf;
    core::ByteView body;
};

// Locks the table against a change of epoch and returns the epoch that new entries belong to.
int32 open_epoch();
// Writes one row and returns its seq. No rights, rules, triggers or snapshot are involved.
int64 insert(const Row &row);

// Makes partitions until two are ahead of the sequence. For the sealer, in a transaction of its
// own: ERROR lock_not_available when a long writer holds the default partition.
void make_ahead();

void define();

}  // namespace aegis::ledger_entry

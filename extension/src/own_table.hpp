// SPDX-License-Identifier: Apache-2.0
// Reads the extension's own small tables below SPI: no rights, policies, rules or plans of the
// caller interfere, and it works inside comparison functions, read-only transactions and parallel
// workers.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::own_table {

// InvalidOid while the extension is not installed in this database. The name is kept: a literal.
Oid find(const char *name);

// What is committed now and what this transaction has written. For several scans that belong
// together; the caller unregisters it.
Snapshot latest();

struct Scan {
    Relation relation;
    Snapshot snapshot;
    bool owns_snapshot;
    SysScanDesc scan;
    // Of begin_one.
    const char *index;
    ScanKey keys;
    int count;
    bool over;
    uint64 hash;
    Buffer buffer;  // pinned while it has the row
    HeapTupleData row;
};

// Scans a table of the extension; with keys, through its primary key index, whose first columns the
// keys must name, or through another index. Without a snapshot of the caller's it sees the latest.
// ERROR when the table is missing.
Scan begin(const char *name, ScanKey keys, int count = 1, const char *index = nullptr,
           Snapshot snapshot = nullptr);
// The same for the one row that all columns of a unique index name. Cheaper when this process has
// read that row before, and never older. The keys are kept until next(). Not for what somebody may
// guess at: the time tells whether there is such a row.
Scan begin_one(const char *name, ScanKey keys, int count = 1, const char *index = nullptr,
               Snapshot snapshot = nullptr);
HeapTuple next(Scan &scan);
void end(Scan &scan);

// One column by number; *is_null tells.
Datum column(const Scan &scan, HeapTuple tuple, int number, bool *is_null);

}  // namespace aegis::own_table

// SPDX-License-Identifier: Apache-2.0
// Reads the extension's own small tables below SPI: no rights, policies, rules or plans of the
// caller interfere, and it works inside comparison functions, read-only transactions and parallel
// workers.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::own_table {

// InvalidOid while the extension is not installed in this database.
Oid find(const char *name);

struct Scan {
    Relation relation;
    Snapshot snapshot;
    SysScanDesc scan;
};

// Scans a table of the extension; with keys, through its primary key index, whose first columns the
// keys must name, or through another index. Sees what the current transaction has written. ERROR
// when the table is missing.
Scan begin(const char *name, ScanKey keys, int count = 1, const char *index = nullptr);
HeapTuple next(Scan &scan);
void end(Scan &scan);

// One column by number; *is_null tells.
Datum column(const Scan &scan, HeapTuple tuple, int number, bool *is_null);

}  // namespace aegis::own_table

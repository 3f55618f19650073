// SPDX-License-Identifier: Apache-2.0
// Reads seals and their leaves row by row for a verification, a few hundred at a time.
#pragma once

#include "core/digest.hpp"
#include "pg/postgres.hpp"

namespace aegis::verify {

struct Cursor {
    Portal portal;
    SPITupleTable *rows;
    uint64 count, at;  // rows fetched, and the current one
};

// Runs a query with the active snapshot. Needs an SPI connection.
Cursor open_cursor(const char *query);
// The current row, fetching more when needed; nullptr at the end.
HeapTuple peek(Cursor *cursor);

struct SealRow {
    bool valid;
    bool complete;  // no column is empty, and what should be a digest is one
    int64 number;
    int32 epoch;
    int64 entries;
    core::Digest root, previous, hash;
    core::ByteView root_frontier, body;
    Datum snapshot;
    int64 root_size;
    TimestampTz sealed_at;
    uint64 wal;
};

// Columns that a query on aegis.seal must give, in the order of read_seal(). Whoever dropped a NOT
// NULL constraint gets a finding, not an accident.
inline constexpr const char *kSealQuery =
    "SELECT number, epoch, entries, root, previous, hash, coalesce(root_frontier, ''), "
    "coalesce(body, ''), coalesce(snapshot, '1:1:'), root_size, sealed_at, wal, "
    "s IS NOT NULL"
    " FROM aegis.seal s ORDER BY number";
SealRow read_seal(Cursor *cursor);
// False when the value is not a digest.
bool copy_digest(Datum value, bool is_null, core::Digest *out);
// The elements of a bigint[]; nulls are left out.
const int64 *numbers_of(Datum array, int *count);

}  // namespace aegis::verify

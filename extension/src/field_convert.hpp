// SPDX-License-Identifier: Apache-2.0
// Conversion of a column beside readers and writers: encrypt_column and decrypt_column for tables
// of any size. docs/field_convert.md.
#pragma once

#include "field_register.hpp"

namespace aegis::field::convert {

struct Tally {
    int64 twins;      // given or corrected
    int64 passed_by;  // rows that somebody else holds; their pages have to be seen again
};

// Gives rows of some pages of a table without partitions their twins, in the current transaction.
// Below SQL: row security, triggers and the capture of changes have no part in it, for the row says
// what it said.
Tally convert_pages(Oid relation, uint32_t reference, BlockNumber from, BlockNumber to);

// Rows that a unique index of a column will take for the same as another's once they are sealed.
struct Same {
    const char *index;
    int64 rows;
};
// Those of a table without partitions, for each of its indexes that has some: List of Same.
List *same_once_sealed(Relation relation, AttrNumber column, const sealed::Type &type);
// An expression that is equal for values of a column that are the same to a searchable type.
const char *same_expression(const sealed::Type &type, const char *column);

// Builds the twin of an index beside writers, in a process and transactions of its own: this one
// must have no snapshot. Whether it came about aegis.twin_indexes() says, why not the server log.
void build_index(Oid relation, uint32_t reference, Oid like);

// One conversion, however many calls it takes. SPI must be connected.
struct Conversion {
    Oid table;
    uint32_t reference;
    const char *field, *column;  // the column as the caller names it
    bool seals;
    const char *reason;  // of a decryption
    Order *order;        // of an encryption
    int64 batch;         // pages; 0: all in one transaction
    int64 converted;
    int64 longest_lock;  // microseconds
};

// Begins, goes on and ends: does what is left to do.
void run(Conversion *conversion);

// Its steps. What is in the way, of the rows too; the twin, what ties it to its column and what
// keeps it; and the twin in the place of its column, false when something changed meanwhile and has
// to be done first.
void refuse_findings(const Conversion &conversion, bool rows);
void begin(Conversion *conversion);
void wait_for_snapshots(const Conversion &conversion);
bool swap(Conversion *conversion, const char *mark);

// Ends a batch: what was done stays, and locks go.
void end_transaction(const Conversion &conversion);
// Takes the table for itself, for as short as can be: whoever comes meanwhile waits. Returns when
// it was taken, for release().
TimestampTz lock_exclusively(Conversion *conversion);
void release(Conversion *conversion, TimestampTz since);
// The triggers that keep twins, and since when each is as it is: one that was switched off and on
// again may have missed a row. ERROR 55000 when one is missing.
const char *trigger_mark(const Conversion &conversion);
// Writes down how far it is: pages in all and done, rows since the last time, and whether the pages
// are gone through anew.
void note(const Conversion &conversion, const char *state, int64 pages, int64 done, int64 rows,
          bool anew);

// A query or change of ours about the table ($1) and the field ($2), as aegis_owner; the first
// column of its rows, which texts() gives for any other statement.
List *ask(const Conversion &conversion, const char *query);
List *texts();
// Statements as the caller, in order.
void run_all(List *statements);
// Takes the field from the registry, with its policy.
void forget_field(const Conversion &conversion);
// The lock that one conversion at a time has, over all its transactions.
LOCKTAG tag_of(uint32_t reference);

}  // namespace aegis::field::convert

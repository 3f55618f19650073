// SPDX-License-Identifier: Apache-2.0
// What a value is bound to beside its tenant and field: the data subject that a column of its row
// names, and the primary key of the row. Which columns these are is read from the table's CHECK
// constraints: they follow renames, partitions and restores, and what they say is what is enforced
// at rest. docs/subject.md.
#pragma once

#include "core/envelope.hpp"
#include "pg/postgres.hpp"
#include "sealed.hpp"

namespace aegis::field {

// Of one value. Views into the row that it was read from, and into the memory of its reader.
struct Bond {
    core::ByteView subject;  // as key::encode_subject() writes it; empty without one
    const core::ByteView *parts = nullptr;
    uint8_t count = 0;  // of them
};

struct Column {
    AttrNumber number;
    AttrNumber tenant;  // 0: the column has no constraint
    uint32_t reference;
    AttrNumber subject;  // 0: none
    uint8_t key_count;   // 0: not bound to its row
    AttrNumber keys[INDEX_MAX_KEYS];
    bool is_twin;  // of a column that is being converted
};

inline bool is_bound(const Column &column) {
    return column.subject != 0 || column.key_count != 0;
}

struct Plan {   // of one table
    Oid relid;  // hash key
    bool valid;
    int count;
    Column *columns;  // those of a sealed type
};

// What the constraint of a column says; without one only its number is set.
Column describe(TupleDesc row, AttrNumber number);
// Kept until the table changes; use it at once.
const Plan *plan_for(Relation relation);
// A column by its number; nullptr when its values are not bound.
const Column *bound_column(Relation relation, AttrNumber number);
// The column of a field among them; nullptr when there is none.
const Column *column_of(const Plan &plan, uint32_t reference);

// False when the row names no subject where the column wants one, or a part of its key is null.
bool read_bond(const Column &column, TupleDesc shape, HeapTuple row, Bond *out);
// The same for a column by its number.
bool read_bond(Relation relation, AttrNumber number, HeapTuple row, Bond *out);
// The bond of a field in a whole row, as SQL passes it: its type names the table. False when the
// table has no such field, or as above. ERROR 42809 when the row is not one of a table.
bool read_bond(Datum row, uint32_t reference, Bond *out);
// The same for a function of (value) or (value, row): false only when the value is bound and a row
// that is given does not say to what. ERROR 42809 when the value is not of a sealed type, 22023
// when it is bound and no row is given.
bool read_bond(FunctionCallInfo fcinfo, const core::EnvelopeParts &envelope, Bond *out);
// The parts of a key from ROW(part, …).
void read_key(Datum record, Bond *out);
bool is_same_bond(const Bond &a, const Bond &b);

// For statements that call a function of (value) or (value, row) for the rows of a table, which
// they name by this alias: ", alias" where a column is bound, and nothing where it is not.
inline constexpr char kRowAlias[] = "zzz_aegis_row";
const char *row_argument(Relation relation, AttrNumber column);

// Flags of an envelope with this bond.
inline uint8_t flags_of(const Bond &bond) {
    return (bond.subject.size != 0 ? core::kFlagSubject : 0) |
           (bond.count != 0 ? core::kFlagRowBound : 0);
}
inline constexpr uint8_t kBondFlags = core::kFlagSubject | core::kFlagRowBound;

// Whether a column of this type can be a part of the key that a value is bound to: one whose binary
// form depends on nothing but the value.
bool can_bind(Oid type);

void define_bond();  // called from field::define

}  // namespace aegis::field

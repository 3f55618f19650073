// SPDX-License-Identifier: Apache-2.0
// What the triggers of a protected table's rows share. docs/protect.md.
#pragma once

#include "protect.hpp"

namespace aegis::protect {

inline constexpr int kMostKeys = INDEX_MAX_KEYS;

// How a child row finds its parent: the columns of the foreign key that joins them.
struct ParentLink {
    Oid child;  // hash key
    Oid parent;
    int count;
    AttrNumber child_columns[kMostKeys];
    SPIPlanPtr read_parent;  // creator and team of the parent, by the child's key values
    Oid parent_owner;
    SPIPlanPtr hold_parent;  // the same as its owner, and it does not move before we are done
};

// Its foreign key; ERROR when there is none. `equal`: the operators, as SQL, by which it compares
// the parent's column with the child's; a type may have another equality than the one in
// pg_catalog. SPI must be connected.
void read_foreign_key(ParentLink *link, AttrNumber *parent_columns, const char **equal);

// The three columns of a row; number 0 where the table lacks one.
struct Place {
    int tenant, creator, team;
};

Place place_of(TupleDesc shape);
bool differs(HeapTuple a, HeapTuple b, TupleDesc shape, int column);
// ERROR unless it is called as a trigger, of rows or of statements.
TriggerData *trigger_data(FunctionCallInfo fcinfo, bool row);

// protect_move.cpp: a row that goes to another team, or another partition.
// Waits for all who add rows that belong to this one, and keeps others waiting.
void hold_children(Relation parent, HeapTuple row);
void remember_update(Relation partition, HeapTuple before, const Place &place);
// Whether the row that is inserted is the one that the last update moved. True once.
bool takes_moved_row(Relation partition);
// Of that row: when it went to another team, its children follow.
void note_team(HeapTuple row, TupleDesc shape, const Place &place);

}  // namespace aegis::protect

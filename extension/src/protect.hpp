// SPDX-License-Identifier: Apache-2.0
// Puts tables under tenant protection, and keeps the columns of their rows true. docs/protect.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::protect {

// What the registry says of a protected table; of a partition or child, what it says of its root.
struct Protection {
    bool created_by;  // rows have a creator
    bool team;        // rows have a team
    Oid parent;       // table whose rows give both; InvalidOid for none
};

// The table that protect_table was called for: the relation itself, or the one that it is a
// partition or child of. InvalidOid when it is not protected. Sees what has committed, whatever the
// snapshot of the transaction.
Oid root_of(Oid relation);
// False when the relation is not protected.
bool find(Oid relation, Protection *protection);

// What undoes what was done, in order: "ALTER TABLE {table} …", where "{table}" stands for the
// relation's name; "index …", the bare name of one of its indexes; "capture".
struct Undo {
    List *statements = NIL;
    void add(const char *statement) { statements = lappend(statements, pstrdup(statement)); }
};
// What a step of an undo is about. Only how it begins says so: names may contain anything.
constexpr const char *kUndoTable = "ALTER TABLE {table} ", *kUndoIndex = "index ";
bool begins_with(const char *step, const char *prefix);
bool is_about_columns(const char *step);

// Registry. SPI must be connected.
void write_table(Oid relation, const Protection &protection, const Undo &undo);
void write_part(Oid relation, Oid root, const Undo &undo);
// Removes what there is of the relation and returns its undo statements.
Undo remove(Oid relation);
// Those of a table that are about its columns.
Undo columns_of(Oid relation);

// Runs SPI as aegis_owner, for the extension's own tables; the previous user comes back also when
// it fails. Returns SPI's result code. SPI must be connected.
int execute_as_owner(const char *text, int count, Oid *types, Datum *values, const char *nulls,
                     bool read_only);
// ERROR when the table does not exist or is not the caller's. Asked before its lock, so that nobody
// locks the tables of others, and after it, for what happened meanwhile.
void require_owned(Oid relation);
// Runs a statement as the caller, who must own what it changes: run() one that defines something,
// query() one that reads or writes rows and so may call code of somebody else; answers() says
// whether it found some. SPI must be connected.
void run(const char *text);
void query(const char *text);
bool answers(const char *text);

// Ledger entry about a table; the detail is left out when `key` is nullptr.
void record(const char *type, Oid relation, const char *key = nullptr, const char *text = nullptr);

// Policies, row security and triggers of one table. The row triggers of a partition are clones of
// its root's.
void cover(Oid relation, const Protection &protection, bool row_triggers, Undo *undo);
// Covers the partitions and children of a root: all of them again, or those that came.
void cover_parts(Oid root, const Protection &protection, bool again);
// ERROR when rows of a protected table take creator and team from this one. SPI must be connected.
void require_no_children(Oid parent);
// Captures the changes of the table, unless somebody has arranged that already; where `like` is a
// table, as those of that one, or not when they are not.
void capture(Oid relation, Oid like, Undo *undo);

// Whether a row of this table is just looked at for the creator and team of one that belongs to it.
bool is_looked_at(Oid relation);

// Columns of existing rows: expressions, or nullptr. protect_fill.cpp.
struct Fill {
    const char *tenant, *created_by, *team;
    bool given() const { return tenant != nullptr || created_by != nullptr || team != nullptr; }
};
void add_columns(Oid relation, const Protection &wanted, const Fill &fill, Undo *undo);

// ProcessUtility: ERROR AG010 for a statement that ends the row security of a protected table.
void check_statement(const PlannedStmt *statement);

// ProcessUtility: what a statement may do to trees of protected tables, by the names it has, and
// the answer when it is done.
struct TreeChange {
    RangeVar *parent;  // below which something changes; nullptr for none
    RangeVar *child;   // that leaves; nullptr for one that comes
    RangeVar *made;    // the partition that CREATE TABLE makes; nullptr for none
};
TreeChange expect_tree_change(const PlannedStmt *statement);
void follow_tree_change(const TreeChange &change);

// Name of a table as DDL needs it.
const char *qualified_name(Oid relation);

}  // namespace aegis::protect

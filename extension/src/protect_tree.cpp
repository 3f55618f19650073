// SPDX-License-Identifier: Apache-2.0
// Partitions and children of protected tables. Row security of a table does not hold for statements
// that name one of them, so each carries policies of its own; a partition that comes is covered by
// the statement that brings it, and one that leaves stays covered.
#include "protect.hpp"

#include "ledger_tables.hpp"
#include "own_table.hpp"
#include "pg/report.hpp"

namespace aegis::protect {

namespace {

// Row triggers of a root that PostgreSQL clones to its partitions. A partition that brings its own
// of the same name could not be attached.
const char *const cloned_triggers[] = {"aegis_audit_row", "aegis_follow", "zzy_aegis_stamp",
                                       "zzz_aegis_seal"};

bool is_installed() {
    return OidIsValid(own_table::find("protected_part"));
}

Oid relation_of(const RangeVar *name) {
    return name == nullptr ? InvalidOid : RangeVarGetRelid(name, NoLock, true);
}

void refuse_part(Oid part, const char *why) {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                    errmsg("table \"%s\" cannot be part of a protected table", get_rel_name(part)),
                    errdetail("%s", why)));
}

void cover_part(Oid part, Oid root, const Protection &protection) {
    char kind = get_rel_relkind(part);
    if (kind == RELKIND_FOREIGN_TABLE) refuse_part(part, "A foreign table has no row security.");
    if (get_rel_persistence(part) == RELPERSISTENCE_TEMP)
        refuse_part(part, "It is a temporary table.");
    LockRelationOid(part, AccessExclusiveLock);
    bool known = root_of(part) == root;
    // Its own protection, if it had one, ends in that of its root, whose matter the columns are;
    // those of a partition, also the indexes.
    bool is_partition = get_rel_relispartition(part);
    // Nobody may look there for creator and team any more.
    if (is_partition) require_no_children(part);
    Undo undo;
    ListCell *cell;
    foreach (cell, remove(part).statements) {
        const char *statement = static_cast<const char *>(lfirst(cell));
        if (is_partition ? begins_with(statement, kUndoTable) && !is_about_columns(statement)
                         : !is_about_columns(statement))
            undo.add(statement);
    }
    cover(part, protection, !is_partition, &undo);
    if (!is_partition) capture(part, InvalidOid, &undo);
    write_part(part, root, undo);
    if (!known) record("table.protected", part, "part_of", qualified_name(root));
}

bool is_own_trigger(Oid relation, const char *trigger) {
    return answers(
        psprintf("SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = %u AND tgname = "
                 "'%s' AND tgparentid = 0",
                 relation, trigger));
}

// Before a partition comes: its own row triggers make room for the clones of the root's, and its
// capture for that of its root.
void make_room(Oid parent, const RangeVar *name) {
    Oid part = relation_of(name);
    if (!OidIsValid(part) || !pg_class_ownercheck(part, GetUserId())) return;
    ListCell *cell;
    foreach (cell, find_all_inheritors(part, AccessExclusiveLock, nullptr)) {
        Oid member = lfirst_oid(cell);
        for (const char *trigger : cloned_triggers) {
            if (!OidIsValid(get_trigger_oid(parent, trigger, true)) ||
                !is_own_trigger(member, trigger))
                continue;
            run(psprintf("DROP TRIGGER %s ON %s", trigger, qualified_name(member)));
            if (strcmp(trigger, "aegis_audit_row") != 0) continue;
            run(psprintf("DROP TRIGGER IF EXISTS aegis_audit_truncate ON %s",
                         qualified_name(member)));
            Oid types[] = {REGCLASSOID};
            Datum values[] = {ObjectIdGetDatum(member)};
            execute_as_owner("DELETE FROM aegis.audited_table WHERE relation = $1", 1, types,
                             values, nullptr, false);
        }
    }
}

// A table that has left keeps everything, now in its own right. The clones of its row triggers went
// with its place.
void separate(Oid table, Oid root, const Protection &protection) {
    Undo undo = columns_of(root);
    undo.statements = list_concat(undo.statements, remove(table).statements);
    cover(table, protection, true, &undo);
    capture(table, root, &undo);
    write_table(table, protection, undo);
    ListCell *cell;
    foreach (cell, find_all_inheritors(table, NoLock, nullptr))
        if (lfirst_oid(cell) != table) write_part(lfirst_oid(cell), table, Undo());
    record("table.protected", table, "was_part_of", qualified_name(root));
}

// What a table inherits from now; InvalidOid for nothing.
Oid table_above(Oid table) {
    query(psprintf("SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = %u LIMIT 1",
                   table));
    if (SPI_processed == 0) return InvalidOid;
    bool null;
    return DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

// A table that has left its root stands for itself, or belongs to the other protected table that
// the same statement made it inherit from.
void follow_leaving(Oid table, Oid root, const Protection &protection) {
    if (list_member_oid(find_all_inheritors(root, NoLock, nullptr), table)) return;
    Oid above = table_above(table);
    Oid other = OidIsValid(above) ? root_of(above) : InvalidOid;
    Protection its;
    if (OidIsValid(other) && find(other, &its))
        cover_parts(other, its, false);
    else
        separate(table, root, protection);
}

// Statements on behalf of the one that runs: names are found in pg_catalog, whatever the caller's
// search_path, and the guards of our own triggers let them pass.
template <typename Body>
void on_behalf(Body &&body) {
    int level = NewGUCNestLevel();
    (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_SAVE, true, 0, false);
    bool pushed = !ActiveSnapshotSet();
    if (pushed) PushActiveSnapshot(GetTransactionSnapshot());
    SPI_connect();
    ledger_tables::own_change([&] { body(); });
    SPI_finish();
    if (pushed) PopActiveSnapshot();
    AtEOXact_GUC(true, level);
}

RangeVar *copy_of(const RangeVar *name) {
    return static_cast<RangeVar *>(copyObjectImpl(name));
}

TreeChange expect_create(const CreateStmt *create) {
    TreeChange change{};
    if (create->partbound == nullptr || create->inhRelations == NIL) return change;
    change.parent = copy_of(static_cast<const RangeVar *>(linitial(create->inhRelations)));
    change.made = copy_of(create->relation);
    return change;
}

TreeChange expect_alter(const AlterTableStmt *alter) {
    TreeChange change{};
    ListCell *cell;
    foreach (cell, alter->cmds) {
        const AlterTableCmd *command = static_cast<const AlterTableCmd *>(lfirst(cell));
        const PartitionCmd *part = reinterpret_cast<const PartitionCmd *>(command->def);
        switch (command->subtype) {
            case AT_AttachPartition: {
                change.parent = copy_of(alter->relation);
                Oid parent = relation_of(alter->relation);
                if (OidIsValid(parent) && OidIsValid(root_of(parent)))
                    on_behalf([&] { make_room(parent, part->name); });
                break;
            }
            case AT_DetachPartition:
            case AT_DetachPartitionFinalize:
                change.parent = copy_of(alter->relation);
                change.child = copy_of(part->name);
                break;
            case AT_DropInherit:
                change.parent = copy_of(reinterpret_cast<const RangeVar *>(command->def));
                change.child = copy_of(alter->relation);
                break;
            default:
                break;
        }
    }
    return change;
}

// A partition that was made may have taken the name of the table above it, in a schema that is
// looked through before: it says itself what it is a partition of.
Oid parent_of(const TreeChange &change) {
    if (change.made == nullptr) return relation_of(change.parent);
    Oid made = get_relname_relid(change.made->relname, RangeVarGetCreationNamespace(change.made));
    return get_rel_relispartition(made) ? get_partition_parent(made, false) : InvalidOid;
}

}  // namespace

TreeChange expect_tree_change(const PlannedStmt *statement) {
    const Node *node = statement->utilityStmt;
    switch (nodeTag(node)) {
        case T_CreateStmt:
            if (!is_installed()) break;
            return expect_create(reinterpret_cast<const CreateStmt *>(node));
        case T_CreateForeignTableStmt:
            if (!is_installed()) break;
            return expect_create(&reinterpret_cast<const CreateForeignTableStmt *>(node)->base);
        case T_AlterTableStmt:
            if (!is_installed()) break;
            return expect_alter(reinterpret_cast<const AlterTableStmt *>(node));
        default:
            break;
    }
    return {};
}

// Looks the names up only now: whoever protected the table meanwhile has committed, and the locks
// of the statement keep the names.
void follow_tree_change(const TreeChange &change) {
    if (!IsTransactionState() || !is_installed()) return;
    CommandCounterIncrement();
    Oid parent = parent_of(change);
    Oid root = OidIsValid(parent) ? root_of(parent) : InvalidOid;
    Protection protection;
    if (!OidIsValid(root) || !find(root, &protection)) return;
    Oid child = relation_of(change.child);
    on_behalf([&] {
        if (change.child == nullptr)
            cover_parts(root, protection, false);
        else if (OidIsValid(child) && root_of(child) == root)
            follow_leaving(child, root, protection);
    });
}

void cover_parts(Oid root, const Protection &protection, bool again) {
    ListCell *cell;
    foreach (cell, find_all_inheritors(root, NoLock, nullptr)) {
        Oid part = lfirst_oid(cell);
        if (part != root && (again || root_of(part) != root)) cover_part(part, root, protection);
    }
}

}  // namespace aegis::protect

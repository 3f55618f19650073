// SPDX-License-Identifier: Apache-2.0
// protect_table and its inverse. The DDL runs as the caller, who must own the table; the registry
// is written as aegis_owner.
#include "protect.hpp"

#include "charge.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"

namespace aegis::protect {

namespace {

struct Order {
    Oid relation;
    Protection wanted;
    Fill fill;
};

const char *optional_text(FunctionCallInfo fcinfo, int number) {
    return PG_ARGISNULL(number) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

// What no statement makes right: the table is not one that can be protected by itself.
void check_table(const Order &order) {
    require_owned(order.relation);
    const char *name = get_rel_name(order.relation);
    Oid schema = get_rel_namespace(order.relation);
    if (IsCatalogNamespace(schema) || schema == get_namespace_oid("aegis", false))
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("table \"%s\" belongs to the system", name)));
    char kind = get_rel_relkind(order.relation);
    if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) ||
        get_rel_persistence(order.relation) == RELPERSISTENCE_TEMP)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a permanent table", name)));
    if (has_superclass(order.relation))
        ereport(
            ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("table \"%s\" is part of another", name),
             errdetail("Row security of a table does not hold for its partitions and children, "
                       "so they are protected together."),
             errhint("Call aegis.protect_table() for the table at the top.")));
    Protection parent;
    if (OidIsValid(order.wanted.parent) &&
        !(find(order.wanted.parent, &parent) && parent.created_by && parent.team))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("parent table \"%s\" is not protected with creator and team",
                               get_rel_name(order.wanted.parent)),
                        errhint("Call aegis.protect_table() for it first.")));
}

// As the trigger is going to, which moves its children along: while this waited, its protection
// could end.
void hold_parent(Oid parent) {
    if (!OidIsValid(parent)) return;
    if (pg_class_aclcheck(parent, GetUserId(), ACL_TRIGGER) != ACLCHECK_OK)
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(parent));
    LockRelationOid(parent, ShareRowExclusiveLock);
}

// One error that names everything that is in the way, with the statements that make it right.
void check_findings(FunctionCallInfo fcinfo) {
    Oid types[] = {REGCLASSOID, BOOLOID, BOOLOID, REGCLASSOID, TEXTOID, TEXTOID, TEXTOID};
    Datum values[lengthof(types)];
    char nulls[lengthof(types) + 1] = {};
    for (size_t i = 0; i < lengthof(types); i++) {
        values[i] = PG_GETARG_DATUM(i);
        nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
    }
    SPI_execute_with_args(
        "SELECT problem, fix FROM aegis.protection_findings($1, $2, $3, $4, $5, $6, $7) "
        "WHERE blocks",
        lengthof(types), types, values, nulls, false, 0);
    if (SPI_processed == 0) return;
    StringInfoData problems, fixes;
    initStringInfo(&problems);
    initStringInfo(&fixes);
    for (uint64 i = 0; i < SPI_processed; i++) {
        char *problem = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
        char *fix = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
        if (problem != nullptr)  // the second statement of a fix has none
            appendStringInfo(&problems, "%s%s", problems.len ? "\n" : "", problem);
        if (fix != nullptr) appendStringInfo(&fixes, "%s%s", fixes.len ? "\n" : "", fix);
    }
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                    errmsg("table \"%s\" cannot be protected yet", get_rel_name(PG_GETARG_OID(0))),
                    errdetail("%s", problems.data), errhint("%s", fixes.data)));
}

// Moves child rows along, whatever the statement set: triggers before may have given the row
// another team, and a row that belongs to another one takes both from there. A row that goes to
// another partition of its table is deleted there and inserted here, so that is watched as well.
void follow(Oid parent) {
    bool partitioned = get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE;
    run(
        psprintf("CREATE OR REPLACE TRIGGER aegis_follow AFTER %sUPDATE ON %s FOR EACH ROW %s"
                 "EXECUTE FUNCTION aegis.follow_parent()",
                 partitioned ? "INSERT OR " : "", qualified_name(parent),
                 partitioned ? ""
                             : "WHEN (OLD.team_ord IS DISTINCT FROM NEW.team_ord OR "
                               "OLD.created_by IS DISTINCT FROM NEW.created_by) "));
}

// Whether a change of a column still can and may be undone: a column stays that a key needs, and
// all stay unless they may go.
const char column_undo_applies[] =
    "SELECT CASE WHEN a.attnum IS NULL THEN false "
    "WHEN c.part[1] OPERATOR(pg_catalog.=) 'DROP' THEN $3 AND NOT EXISTS (SELECT FROM "
    "pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND a.attnum = ANY (i.indkey)) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1 "
    "AND a.attnum = ANY (k.conkey)) "
    "WHEN $2 ~ ' DROP NOT NULL$' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE "
    "i.indrelid = $1 AND i.indisprimary AND a.attnum = ANY (i.indkey)) ELSE true END "
    "FROM (SELECT pg_catalog.regexp_match($2, '^ALTER TABLE {table} (DROP|ALTER) COLUMN (\\w+)')) "
    "AS c(part) LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attname = c.part[2] "
    "AND NOT a.attisdropped";

bool applies_to_column(Oid relation, const char *step, bool drop_columns) {
    Oid types[] = {OIDOID, TEXTOID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(relation), CStringGetTextDatum(step),
                      BoolGetDatum(drop_columns)};
    SPI_execute_with_args(column_undo_applies, 3, types, values, nullptr, false, 0);
    bool null;
    return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

// The index of the table that has this name, in whichever schema it is now. Another table's is not
// ours to drop.
void drop_index(Oid relation, const char *name) {
    ListCell *cell;
    Relation table = table_open(relation, NoLock);
    List *indexes = RelationGetIndexList(table);
    table_close(table, NoLock);
    foreach (cell, indexes)
        if (strcmp(get_rel_name(lfirst_oid(cell)), name) == 0)
            run(psprintf("DROP INDEX %s", qualified_name(lfirst_oid(cell))));
}

void undo_step(Oid relation, const char *step, bool drop_columns) {
    if (strcmp(step, "capture") == 0) {
        if (answers(psprintf("SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = %u AND "
                             "tgname = 'aegis_audit_row' AND tgparentid = 0",
                             relation)))
            query(psprintf("SELECT aegis.unaudit_table(%u)", relation));
    } else if (begins_with(step, kUndoIndex)) {
        drop_index(relation, step + strlen(kUndoIndex));
    } else if (!is_about_columns(step) || applies_to_column(relation, step, drop_columns)) {
        run(psprintf("ALTER TABLE %s %s", qualified_name(relation), step + strlen(kUndoTable)));
    }
}

void undo_all(Oid relation, const Undo &undo, bool drop_columns) {
    for (int i = list_length(undo.statements) - 1; i >= 0; i--)
        undo_step(relation, static_cast<const char *>(list_nth(undo.statements, i)), drop_columns);
}

// The last child that leaves takes the trigger with it that moved it along.
void stop_following(Oid parent) {
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(parent)};
    execute_as_owner("SELECT 1 FROM aegis.protected_table WHERE parent = $1", 1, types, values,
                     nullptr, false);
    if (SPI_processed > 0 || get_rel_name(parent) == nullptr ||
        !pg_class_ownercheck(parent, GetUserId()) ||
        !OidIsValid(get_trigger_oid(parent, "aegis_follow", true)))
        return;
    run(psprintf("DROP TRIGGER aegis_follow ON %s", qualified_name(parent)));
}

void uncover(Oid relation) {
    const char *name = qualified_name(relation);
    for (const char *command : {"select", "insert", "update", "delete"})
        run(psprintf("DROP POLICY IF EXISTS aegis_%s ON %s", command, name));
    for (const char *trigger : {"zzy_aegis_stamp", "aegis_truncate", "aegis_follow"})
        // A clone goes with the trigger that it is a clone of.
        if (answers(psprintf("SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = %u AND tgname = "
                             "'%s' AND tgparentid = 0",
                             relation, trigger)))
            run(psprintf("DROP TRIGGER %s ON %s", trigger, name));
}

// A rollback would take the entry back, and the owner has read the rows of all tenants meanwhile.
int charge_unprotection(Oid relation) {
    charge::Order order{};
    order.kind = charge::Kind::unprotection;
    order.event = "table.unprotected";
    order.target = qualified_name(relation);
    return charge::open(order);
}

}  // namespace

// Rows of its children would go on taking creator and team from rows that nothing keeps true.
void require_no_children(Oid parent) {
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(parent)};
    execute_as_owner(
        "SELECT p.relation::pg_catalog.text, pg_catalog.string_agg(pg_catalog.format("
        "'SELECT aegis.unprotect_table(%L);', p.relation), ' ') OVER () FROM aegis.protected_table "
        "p JOIN pg_catalog.pg_class c ON c.oid = p.relation WHERE p.parent = $1 ORDER BY 1 LIMIT 1",
        1, types, values, nullptr, false);
    if (SPI_processed == 0) return;
    HeapTuple row = SPI_tuptable->vals[0];
    ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                    errmsg("table \"%s\" is the parent of protected table \"%s\"",
                           get_rel_name(parent), SPI_getvalue(row, SPI_tuptable->tupdesc, 1)),
                    errdetail("Its rows take their creator and team from here."),
                    errhint("%s", SPI_getvalue(row, SPI_tuptable->tupdesc, 2))));
}

}  // namespace aegis::protect

using namespace aegis;

AEGIS_FUNCTION(aegis_protect_table) {
    for (int i = 0; i < 3; i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("target, created_by and team must not be null")));
    protect::Order order{};
    order.relation = PG_GETARG_OID(0);
    order.wanted.created_by = PG_GETARG_BOOL(1);
    order.wanted.team = PG_GETARG_BOOL(2);
    order.wanted.parent = PG_ARGISNULL(3) ? InvalidOid : PG_GETARG_OID(3);
    order.fill = {protect::optional_text(fcinfo, 4), protect::optional_text(fcinfo, 5),
                  protect::optional_text(fcinfo, 6)};
    if (OidIsValid(order.wanted.parent) && !(order.wanted.created_by && order.wanted.team))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("rows that follow a parent have its creator and its team"),
                        errhint("Leave created_by and team at true.")));
    protect::check_table(order);
    // Before anything is looked at: a partition that is being attached is there afterwards, or
    // comes when the table is registered.
    LockRelationOid(order.relation, AccessExclusiveLock);
    protect::hold_parent(order.wanted.parent);
    protect::check_table(order);
    protect::Protection before{};
    bool known = protect::find(order.relation, &before);

    SPI_connect();
    protect::check_findings(fcinfo);
    protect::Undo undo;
    protect::add_columns(order.relation, order.wanted, order.fill, &undo);
    protect::cover(order.relation, order.wanted, true, &undo);
    if (OidIsValid(order.wanted.parent)) protect::follow(order.wanted.parent);
    protect::write_table(order.relation, order.wanted, undo);
    if (!known || memcmp(&before, &order.wanted, sizeof before) != 0)
        protect::record("table.protected", order.relation);
    protect::Undo captured;
    protect::capture(order.relation, InvalidOid, &captured);
    if (captured.statements != NIL) protect::write_table(order.relation, order.wanted, captured);
    protect::cover_parts(order.relation, order.wanted, true);
    SPI_finish();
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_unprotect_table) {
    Oid relation = PG_GETARG_OID(0);
    bool drop_columns = PG_GETARG_BOOL(1);
    protect::require_owned(relation);
    LockRelationOid(relation, AccessExclusiveLock);
    protect::require_owned(relation);
    const char *name = get_rel_name(relation);
    Oid root = protect::root_of(relation);
    if (!OidIsValid(root))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("table \"%s\" is not protected", name)));
    if (root != relation)
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                 errmsg("table \"%s\" is protected as a part of \"%s\"", name, get_rel_name(root)),
                 errhint("Detach it first, or call aegis.unprotect_table() for the whole.")));
    protect::Protection protection{};
    protect::find(relation, &protection);
    List *members = find_all_inheritors(relation, AccessExclusiveLock, nullptr);
    SPI_connect();
    ListCell *cell;
    foreach (cell, members)
        if (protect::root_of(lfirst_oid(cell)) == relation)
            protect::require_no_children(lfirst_oid(cell));
    int slot = protect::charge_unprotection(relation);
    // Parts first, the columns that they inherit last.
    for (int i = list_length(members) - 1; i >= 0; i--) {
        Oid member = list_nth_oid(members, i);
        if (protect::root_of(member) != relation) continue;
        // The registry first, for what follows is refused while the table stands in it.
        protect::Undo undo = protect::remove(member);
        ledger_tables::own_change([&] { protect::uncover(member); });
        protect::undo_all(member, undo, drop_columns);
    }
    if (OidIsValid(protection.parent))
        ledger_tables::own_change([&] { protect::stop_following(protection.parent); });
    SPI_finish();
    protect::record("table.unprotected", relation);
    charge::settle(slot);
    PG_RETURN_VOID();
}

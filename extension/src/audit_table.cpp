// SPDX-License-Identifier: Apache-2.0
// Begins and ends the capture of a table: its two triggers, its row in the registry, and the ledger
// entry that says so.
#include "audit.hpp"

#include "ddl_guard.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "audit_value.hpp"

namespace {

namespace core = aegis::core;

void connect() {
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
}

void run(const char *statement) {
    int result = 0;
    aegis::ddl_guard::own_statements([&] { result = SPI_execute(statement, false, 0); });
    if (result < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not change the capture of a table")));
}

// Changes the registry with the owner's rights, which no caller has.
uint64 run_as_owner(const char *statement, int count, Oid *types, Datum *values) {
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    int settings = aegis::pg::pin_search_path();
    SetUserIdAndSecContext(aegis::role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
    int result = SPI_execute_with_args(statement, count, types, values, nullptr, false, 0);
    SetUserIdAndSecContext(user, security);
    AtEOXact_GUC(false, settings);
    if (result < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not change the registry of audited tables")));
    return SPI_processed;
}

char *qualified_name(Oid relation) {
    char *name = get_rel_name(relation);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relation)));
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
}

void record(const char *type, const char *table) {
    aegis::ledger::Event event = {};
    event.type = type;
    event.target_kind = "table";
    event.target_id = table;
    aegis::ledger::append(event);
}

// Every column must have a canonical form, and every name in `clear` must be a column.
void check_columns(Oid relation, const Datum *names, int count) {
    Relation table = table_open(relation, AccessShareLock);
    char kind = table->rd_rel->relkind;
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a table", RelationGetRelationName(table))));
    TupleDesc shape = RelationGetDescr(table);
    for (int i = 0; i < shape->natts; i++)
        if (!TupleDescAttr(shape, i)->attisdropped)
            aegis::audit_value::encoding_of(TupleDescAttr(shape, i)->atttypid);
    for (int n = 0; n < count; n++) {
        bool found = false;
        for (int i = 0; i < shape->natts && !found; i++)
            found = !TupleDescAttr(shape, i)->attisdropped &&
                    namestrcmp(&TupleDescAttr(shape, i)->attname,
                               NameStr(*DatumGetName(names[n]))) == 0;
        if (!found)
            ereport(ERROR,
                    (errcode(ERRCODE_UNDEFINED_COLUMN),
                     errmsg("column \"%s\" of table \"%s\" does not exist",
                            NameStr(*DatumGetName(names[n])), RelationGetRelationName(table))));
    }
    if (!OidIsValid(RelationGetPrimaryKeyIndex(table)))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table \"%s\" has no primary key", RelationGetRelationName(table)),
                        errhint("Entries name the row that changed by its primary key.")));
    table_close(table, AccessShareLock);
}

}  // namespace

AEGIS_FUNCTION(aegis_audit_table) {
    Oid relation = PG_GETARG_OID(0);
    char *table = qualified_name(relation);
    if (!pg_class_ownercheck(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relation));
    Datum *names;
    bool *nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names,
                      &nulls, &count);
    StringInfoData arguments;
    initStringInfo(&arguments);
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("names of columns must not be null")));
        appendStringInfo(&arguments, "%s%s", i > 0 ? ", " : "",
                         quote_literal_cstr(NameStr(*DatumGetName(names[i]))));
    }
    check_columns(relation, names, count);

    connect();
    Oid types[3] = {REGCLASSOID, NAMEARRAYOID, BOOLOID};
    Datum values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), BoolGetDatum(creating_extension)};
    if (run_as_owner(
            "INSERT INTO aegis.audited_table (relation, clear, by_extension) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING",
            3, types, values) == 0)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("table %s is already audited", table)));
    // ALWAYS: session_replication_role must not silence them.
    run(
        psprintf("CREATE TRIGGER aegis_audit_row AFTER INSERT OR UPDATE OR DELETE ON %s"
                 " FOR EACH ROW EXECUTE FUNCTION aegis.audit_row(%s)",
                 table, arguments.data));
    run(
        psprintf("CREATE TRIGGER aegis_audit_truncate AFTER TRUNCATE ON %s"
                 " FOR EACH STATEMENT EXECUTE FUNCTION aegis.audit_truncate()",
                 table));
    run(
        psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER aegis_audit_row, ENABLE ALWAYS TRIGGER "
                 "aegis_audit_truncate",
                 table));
    SPI_finish();
    record("table.audited", table);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_unaudit_table) {
    Oid relation = PG_GETARG_OID(0);
    char *table = qualified_name(relation);
    if (!pg_class_ownercheck(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relation));
    connect();
    Oid types[1] = {REGCLASSOID};
    Datum values[1] = {PG_GETARG_DATUM(0)};
    if (run_as_owner("DELETE FROM aegis.audited_table WHERE relation = $1", 1, types, values) == 0)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("table %s is not audited", table)));
    aegis::ledger_tables::own_change([&] {
        run(psprintf("DROP TRIGGER aegis_audit_row ON %s", table));
        run(psprintf("DROP TRIGGER aegis_audit_truncate ON %s", table));
    });
    SPI_finish();
    record("table.unaudited", table);
    PG_RETURN_VOID();
}

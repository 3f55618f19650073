// SPDX-License-Identifier: Apache-2.0
// What stands on a single protected table: policies, row security, triggers, capture. Every step
// looks first, so that a second call changes nothing, and notes how to undo what it did.
#include "protect.hpp"

#include "ledger_tables.hpp"
#include "pg/report.hpp"

namespace aegis::protect {

namespace {

void add_policies(Oid relation, const Protection &wanted) {
    const char *name = qualified_name(relation);
    const char *predicate = psprintf(
        "tenant_id = aegis.tenant_id()%s%s",
        wanted.team ? " AND team_ord BETWEEN aegis.team_lo() AND aegis.team_hi()" : "",
        wanted.created_by ? " AND created_by BETWEEN aegis.user_lo() AND aegis.user_hi()" : "");
    static const struct {
        const char *command;
        bool use, check;
    } policies[] = {{"select", true, false},
                    {"insert", false, true},
                    {"update", true, true},
                    {"delete", true, false}};
    for (const auto &policy : policies) {
        if (answers(psprintf(
                "SELECT 1 FROM pg_catalog.pg_policy WHERE polrelid = %u AND polname = 'aegis_%s'",
                relation, policy.command)))
            run(psprintf("DROP POLICY aegis_%s ON %s", policy.command, name));
        run(psprintf("CREATE POLICY aegis_%s ON %s FOR %s TO PUBLIC %s%s%s %s%s%s", policy.command,
                     name, policy.command, policy.use ? "USING (" : "", policy.use ? predicate : "",
                     policy.use ? ")" : "", policy.check ? "WITH CHECK (" : "",
                     policy.check ? predicate : "", policy.check ? ")" : ""));
    }
}

void force_row_security(Oid relation, Undo *undo) {
    bool enabled = false, forced = false;
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (HeapTupleIsValid(tuple)) {
        enabled = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relrowsecurity;
        forced = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relforcerowsecurity;
        ReleaseSysCache(tuple);
    }
    if (!enabled) undo->add("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY");
    if (!forced) undo->add("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
    run(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                 qualified_name(relation)));
}

void add_index(Oid relation, const char *column, Undo *undo) {
    if (answers(psprintf(
            "SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = %u AND i.indpred IS NULL "
            "AND pg_catalog.pg_get_indexdef(i.indexrelid, 1, false) = 'tenant_id' "
            "AND pg_catalog.pg_get_indexdef(i.indexrelid, 2, false) = '%s'",
            relation, column)))
        return;
    run(psprintf("CREATE INDEX ON %s (tenant_id, %s)", qualified_name(relation), column));
    query(
        psprintf("SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c "
                 "ON c.oid = i.indexrelid WHERE i.indrelid = %u ORDER BY c.oid DESC LIMIT 1",
                 relation));
    undo->add(psprintf("%s%s", kUndoIndex,
                       SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)));
}

}  // namespace

void cover(Oid relation, const Protection &protection, bool row_triggers, Undo *undo) {
    const char *name = qualified_name(relation);
    add_policies(relation, protection);
    force_row_security(relation, undo);
    // Triggers fire by name: after the application's own, before a field is sealed for its tenant.
    if (row_triggers)
        run(
            psprintf("CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON %s "
                     "FOR EACH ROW EXECUTE FUNCTION aegis.stamp_row()",
                     name));
    run(
        psprintf("CREATE OR REPLACE TRIGGER aegis_truncate BEFORE TRUNCATE ON %s "
                 "FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_truncate()",
                 name));
    if (!row_triggers) return;
    if (protection.created_by) add_index(relation, "created_by", undo);
    if (protection.team) add_index(relation, "team_ord", undo);
}

void capture(Oid relation, Oid like, Undo *undo) {
    Oid types[] = {REGCLASSOID, REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(relation), ObjectIdGetDatum(like)};
    execute_as_owner(
        "SELECT relation = $1, clear FROM aegis.audited_table WHERE relation IN ($1, $2) "
        "ORDER BY 1 DESC",
        2, types, values, nullptr, false);
    bool null;
    Datum clear = PointerGetDatum(construct_empty_array(NAMEOID));
    if (SPI_processed > 0) {
        HeapTuple row = SPI_tuptable->vals[0];
        if (DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null))) return;
        clear = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &null);
    } else if (OidIsValid(like)) {
        return;
    }
    Oid arguments[] = {REGCLASSOID, NAMEARRAYOID};
    List *name = list_make2(makeString(pstrdup("aegis")), makeString(pstrdup("audit_table")));
    OidFunctionCall2(LookupFuncName(name, lengthof(arguments), arguments, false),
                     ObjectIdGetDatum(relation), clear);
    undo->add("capture");
}

}  // namespace aegis::protect

// SPDX-License-Identifier: Apache-2.0
// Gives the rows of teams that move their new numbers: with the rights of each table's owner and
// past its row security, because members need not have the right to move rows, and a policy of the
// table's own must not hide one. What the rows' triggers do is not done with these rights: it runs
// as aegis_member under row security, as in any request. So the statement is rewritten as the
// owner, and executed as the member.
#include "pg/compat.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "protect.hpp"
#include "role.hpp"
#include "team.hpp"

namespace aegis::team {

namespace {

constexpr int kArguments = 7;
Oid types[kArguments] = {UUIDOID, INT8ARRAYOID, INT8ARRAYOID, INT8OID, INT8OID, INT8OID, INT8OID};

// Rows of a table with a parent are moved like others; their trigger stands aside.
pg::Statement find_tables = {
    "SELECT p.relation::pg_catalog.oid, c.relowner FROM aegis.protected_table p"
    "  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.relation"
    " WHERE p.team ORDER BY c.oid",
    0,
    {},
    nullptr};

// The table that is being rewritten and its owner.
Oid rewritten = InvalidOid, rewritten_owner = InvalidOid;
List *rewritten_parts = NIL;

PlannedStmt *plan(const char *text, ParamListInfo parameters) {
    List *parsed = pg_parse_query(text);
    Query *query =
        parse_analyze_fixedparams(linitial_node(RawStmt, parsed), text, types, kArguments, nullptr);
    pg::check_as(query, rewritten_owner);
    List *queries = QueryRewrite(query);
    if (list_length(queries) != 1 || linitial_node(Query, queries)->commandType != CMD_UPDATE)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s has a rule", protect::qualified_name(rewritten)),
                        errhint("Drop the rule.")));
    return pg_plan_query(linitial_node(Query, queries), text, 0, parameters);
}

uint64 run(const char *text, const Datum *values) {
    ParamListInfo parameters = makeParamList(kArguments);
    for (int i = 0; i < kArguments; i++)
        parameters->params[i] = {values[i], false, PARAM_FLAG_CONST, types[i]};
    pg::Identity before;
    GetUserIdAndSecContext(&before.user, &before.security);
    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
    SetUserIdAndSecContext(rewritten_owner,
                           before.security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
    PlannedStmt *planned = plan(text, parameters);
    pg::resume(before);

    pg::Identity caller = pg::become(role::member());
    QueryDesc *query = CreateQueryDesc(planned, text, GetActiveSnapshot(), InvalidSnapshot,
                                       None_Receiver, parameters, nullptr, 0);
    ExecutorStart(query, 0);
    ExecutorRun(query, ForwardScanDirection, 0, true);
    uint64 rows = query->estate->es_processed;
    ExecutorFinish(query);
    ExecutorEnd(query);
    FreeQueryDesc(query);
    pg::resume(caller);
    PopActiveSnapshot();
    CommandCounterIncrement();
    return rows;
}

uint64 rewrite(Oid table, Oid owner, const Datum *values) {
    const char *name = protect::qualified_name(table);
    const char *text = psprintf(
        "UPDATE %s SET team_ord = ($3)[pg_catalog.width_bucket(team_ord, $2)]"
        " WHERE tenant_id OPERATOR(pg_catalog.=) $1"
        " AND (team_ord OPERATOR(pg_catalog.>=) $4"
        "      AND team_ord OPERATOR(pg_catalog.<=) $5"
        "   OR team_ord OPERATOR(pg_catalog.>=) $6"
        "      AND team_ord OPERATOR(pg_catalog.<=) $7)"
        " AND team_ord OPERATOR(pg_catalog.<>)"
        "  ($3)[pg_catalog.width_bucket(team_ord, $2)]",
        name);
    uint64 rows = 0;
    rewritten_parts = find_all_inheritors(table, NoLock, nullptr);
    rewritten_owner = owner;
    rewritten = table;
    PG_TRY();
    { rows = run(text, values); }
    PG_FINALLY();
    {
        rewritten = rewritten_owner = InvalidOid;
        rewritten_parts = NIL;
    }
    PG_END_TRY();
    return rows;
}

}  // namespace

bool is_rewriting(Oid relation) {
    return OidIsValid(rewritten) && list_member_oid(rewritten_parts, relation);
}

bool is_rewrite(const RangeTblEntry *entry, List *permissions) {
    return OidIsValid(rewritten) && entry->relid == rewritten &&
           pg::checked_as(entry, permissions) == rewritten_owner &&
           (pg::required_permissions(entry, permissions) & ACL_UPDATE) != 0;
}

uint64 rewrite_rows(const pg_uuid_t &tenant, ArrayType *starts, ArrayType *targets, Range one,
                    Range other) {
    uint64 count = pg::execute(find_tables, nullptr), rows = 0;
    Oid *tables = static_cast<Oid *>(palloc(sizeof(Oid) * 2 * (count + 1)));
    bool is_null;
    for (uint64 i = 0; i < count; i++) {
        tables[2 * i] = DatumGetObjectId(pg::column(i, 1, &is_null));
        tables[2 * i + 1] = DatumGetObjectId(pg::column(i, 2, &is_null));
    }
    Datum values[kArguments] = {UUIDPGetDatum(&tenant),   PointerGetDatum(starts),
                                PointerGetDatum(targets), Int64GetDatum(one.lo),
                                Int64GetDatum(one.hi),    Int64GetDatum(other.lo),
                                Int64GetDatum(other.hi)};
    for (uint64 i = 0; i < count; i++) rows += rewrite(tables[2 * i], tables[2 * i + 1], values);
    return rows;
}

}  // namespace aegis::team

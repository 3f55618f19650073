// SPDX-License-Identifier: Apache-2.0
#include "team.hpp"

#include "context.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "tenant.hpp"

namespace aegis::team {

namespace {

constexpr int64 kNoFreePart = 0;

// One row of one query on the extension's tables; false when there is none. Columns are ord,
// last_ord and id.
bool query(const char *text, int count, Oid *types, Datum *values, int64 *ord, int64 *last_ord,
           pg_uuid_t *id) {
    SPI_connect();
    // Read-write, so that it sees what this transaction wrote.
    int result = SPI_execute_with_args(text, count, types, values, nullptr, false, 1);
    bool found = result > 0 && SPI_processed == 1;
    if (found) {
        bool null;
        HeapTuple tuple = SPI_tuptable->vals[0];
        TupleDesc shape = SPI_tuptable->tupdesc;
        *ord = DatumGetInt64(SPI_getbinval(tuple, shape, 1, &null));
        *last_ord = DatumGetInt64(SPI_getbinval(tuple, shape, 2, &null));
        *id = *DatumGetUUIDP(SPI_getbinval(tuple, shape, 3, &null));
    }
    SPI_finish();
    return found;
}

struct Team {
    pg_uuid_t id;
    int64 ord, last_ord;
};

// Locks the parent: two children made at once take different parts. A null parent is the root.
Team lock_parent(const pg_uuid_t &tenant, const pg_uuid_t *parent) {
    Team team{};
    Oid types[] = {UUIDOID, UUIDOID};
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(parent)};
    bool found = parent == nullptr ? query(
                                         "SELECT ord, last_ord, id FROM aegis.team WHERE tenant_id "
                                         "OPERATOR(pg_catalog.=) $1 "
                                         "AND parent_id IS NULL FOR NO KEY UPDATE",
                                         1, types, values, &team.ord, &team.last_ord, &team.id)
                                   : query(
                                         "SELECT ord, last_ord, id FROM aegis.team WHERE tenant_id "
                                         "OPERATOR(pg_catalog.=) $1 "
                                         "AND id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
                                         2, types, values, &team.ord, &team.last_ord, &team.id);
    if (!found)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("parent team does not exist")));
    return team;
}

// First number of the next free part of the parent's range. A part is given once: what still
// carries the number of a deleted team must not fall to another.
int64 next_ord(const pg_uuid_t &tenant, const Team &parent, int64 width) {
    Oid types[] = {UUIDOID, UUIDOID};
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&parent.id)};
    int64 ord, last_ord = parent.ord;
    pg_uuid_t id;
    query(
        "SELECT m.ord, greatest(m.ord, m.given_to, (SELECT pg_catalog.max(c.last_ord)"
        "  FROM aegis.team c WHERE c.tenant_id OPERATOR(pg_catalog.=) $1"
        "   AND c.parent_id OPERATOR(pg_catalog.=) $2)), m.id FROM aegis.team m"
        " WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2",
        2, types, values, &ord, &last_ord, &id);
    return width > 0 && last_ord <= parent.last_ord - width ? last_ord + 1 : kNoFreePart;
}

pg_uuid_t insert(const pg_uuid_t &tenant, const pg_uuid_t *parent, const char *name, int64 ord,
                 int64 last_ord) {
    Oid types[] = {UUIDOID, UUIDOID, TEXTOID, INT8OID, INT8OID};
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(parent), CStringGetTextDatum(name),
                      Int64GetDatum(ord), Int64GetDatum(last_ord)};
    const char *nulls = parent == nullptr ? " n   " : nullptr;
    SPI_connect();
    if (SPI_execute_with_args("INSERT INTO aegis.team (tenant_id, parent_id, name, ord, last_ord) "
                              "VALUES ($1, $2, $3, $4, $5) RETURNING id",
                              5, types, values, nulls, false, 1) != SPI_OK_INSERT_RETURNING)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not insert into aegis.team")));
    bool null;
    pg_uuid_t id =
        *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    SPI_finish();
    return id;
}

}  // namespace

void create_root(const pg_uuid_t &tenant, const char *name) {
    // A tenant's name may be longer than a team's.
    char *team_name = pstrdup(name);
    int bytes = static_cast<int>(strlen(team_name));
    team_name[pg_mbcharcliplen(team_name, bytes, 100)] = '\0';
    insert(tenant, nullptr, team_name, kFirst, kLast);
}

}  // namespace aegis::team

namespace aegis::tenant {

namespace {

enum TeamColumn : int { kTenant = 1, kTeam, kParent, kTeamName, kOrd, kLastOrd };

bool find_team(const pg_uuid_t &tenant, const pg_uuid_t *team, pg_uuid_t *id, int64 *ord,
               int64 *last_ord) {
    Oid schema = get_namespace_oid("aegis", false);
    Relation relation = table_open(get_relname_relid("team", schema), AccessShareLock);
    Snapshot snapshot =
        RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], kTenant, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    if (team != nullptr)
        ScanKeyInit(&keys[1], kTeam, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(team));
    // The index of root teams holds one row per tenant.
    SysScanDesc scan =
        systable_beginscan(relation, get_relname_relid(team ? "team_pkey" : "team_root", schema),
                           true, snapshot, team ? 2 : 1, keys);
    HeapTuple tuple = systable_getnext(scan);
    bool found = HeapTupleIsValid(tuple);
    if (found) {
        TupleDesc shape = RelationGetDescr(relation);
        bool null;
        *id = *DatumGetUUIDP(heap_getattr(tuple, kTeam, shape, &null));
        *ord = DatumGetInt64(heap_getattr(tuple, kOrd, shape, &null));
        *last_ord = DatumGetInt64(heap_getattr(tuple, kLastOrd, shape, &null));
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(relation, AccessShareLock);
    return found;
}

}  // namespace

bool team_range(const pg_uuid_t &tenant, const pg_uuid_t &team, int64 *ord, int64 *last_ord) {
    pg_uuid_t id;
    return find_team(tenant, &team, &id, ord, last_ord);
}

bool root_team(const pg_uuid_t &tenant, pg_uuid_t *team, int64 *ord, int64 *last_ord) {
    return find_team(tenant, nullptr, team, ord, last_ord);
}

}  // namespace aegis::tenant

using namespace aegis;

AEGIS_FUNCTION(aegis_create_team) {
    const context::Context &context = context::require();
    if (context.rank < context::kRankAdmin)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only an admin may create a team")));
    if (context.read_only)
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot create a team in a read-only context")));
    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("name of a team must not be null")));
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const pg_uuid_t *wanted = PG_ARGISNULL(1) ? nullptr : PG_GETARG_UUID_P(1);

    team::Team parent = team::lock_parent(context.tenant, wanted);
    int64 width = (parent.last_ord - parent.ord + 1) / team::kChildren;
    int64 ord = team::next_ord(context.tenant, parent, width);
    if (ord == team::kNoFreePart && width > 0) {
        // Parts of deleted and moved teams may be had again once no row carries their numbers.
        team::number_below(context.tenant, parent.id);
        ord = team::next_ord(context.tenant, parent, width);
    }
    if (ord == team::kNoFreePart)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("no room for another team below this one"),
                        errdetail("A team has at most " INT64_FORMAT
                                  " teams directly below it, in at most 6 levels.",
                                  team::kChildren - 1)));
    pg_uuid_t *id = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    *id = team::insert(context.tenant, &parent.id, name, ord, ord + width - 1);

    ledger::Event event{};
    event.type = "team.created";
    event.target_kind = "team";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
    ledger::append(event);
    PG_RETURN_UUID_P(id);
}

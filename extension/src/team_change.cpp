// SPDX-License-Identifier: Apache-2.0
// Renames and deletes teams. What a deleted team leaves is its number, which no other ever gets:
// a row or a context that still carries it reaches nobody new.
#include "context.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "protect.hpp"
#include "role.hpp"
#include "team.hpp"

namespace aegis::team {

namespace {

// Locks the team against users and teams that are being put into it.
pg::Statement lock_team = {
    "SELECT m.parent_id, m.ord, m.last_ord FROM aegis.team m"
    " WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 FOR UPDATE",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement find_child = {
    "SELECT FROM aegis.team m WHERE m.tenant_id OPERATOR(pg_catalog.=) $1"
    " AND m.parent_id OPERATOR(pg_catalog.=) $2 LIMIT 1",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement find_user = {
    "SELECT FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1"
    " AND u.team_id OPERATOR(pg_catalog.=) $2 LIMIT 1",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

// Tables with teams that a session of the tenant can read at all.
pg::Statement find_tables = {
    "SELECT p.relation::pg_catalog.oid FROM aegis.protected_table p"
    "  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.relation"
    " WHERE p.team AND pg_catalog.has_table_privilege($1, c.oid, 'SELECT')"
    "   AND pg_catalog.has_schema_privilege($1, c.relnamespace, 'USAGE') ORDER BY c.oid",
    1,
    {OIDOID},
    nullptr};

pg::Statement update_name = {
    "UPDATE aegis.team SET name = $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
    3,
    {UUIDOID, UUIDOID, TEXTOID},
    nullptr};

pg::Statement keep_number = {
    "UPDATE aegis.team SET given_to = greatest(given_to, $3)"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
    3,
    {UUIDOID, UUIDOID, INT8OID},
    nullptr};

pg::Statement delete_team = {
    "DELETE FROM aegis.team"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

struct Locked {
    bool is_root;
    pg_uuid_t parent;
    int64 ord, last_ord;
};

Locked require_team(const Datum *key) {
    if (pg::execute(lock_team, key) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("team does not exist")));
    Locked team{};
    bool is_null;
    Datum parent = pg::column(0, 1, &team.is_root);
    if (!team.is_root) team.parent = *DatumGetUUIDP(parent);
    team.ord = DatumGetInt64(pg::column(0, 2, &is_null));
    team.last_ord = DatumGetInt64(pg::column(0, 3, &is_null));
    return team;
}

// Looks as a session of the tenant would: as aegis_member, under row security, with the reach of an
// admin. In the whole range, because a lead may have given a row a number between two teams.
void refuse_rows(const context::Context &context, const Locked &team) {
    Datum reader[] = {ObjectIdGetDatum(role::member())};
    int count = static_cast<int>(pg::execute(find_tables, reader));
    Oid *tables = static_cast<Oid *>(palloc(sizeof(Oid) * (count + 1)));
    bool is_null;
    for (int i = 0; i < count; i++)
        tables[i] = DatumGetObjectId(pg::column(static_cast<uint64>(i), 1, &is_null));
    pg::Identity before = pg::become(role::member());
    for (int i = 0; i < count; i++) {
        Oid types[] = {UUIDOID, INT8OID, INT8OID};
        Datum values[] = {UUIDPGetDatum(&context.tenant), Int64GetDatum(team.ord),
                          Int64GetDatum(team.last_ord)};
        const char *name = protect::qualified_name(tables[i]);
        int result = SPI_execute_with_args(
            psprintf("SELECT FROM %s WHERE tenant_id OPERATOR(pg_catalog.=) $1"
                     " AND team_ord OPERATOR(pg_catalog.>=) $2"
                     " AND team_ord OPERATOR(pg_catalog.<=) $3 LIMIT 1",
                     name),
            3, types, values, nullptr, false, 1);
        if (result != SPI_OK_SELECT || SPI_processed != 0)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("team has rows in table %s", name),
                            errhint("Move them to another team first: UPDATE ... SET team_ord.")));
    }
    pg::resume(before);
}

void refuse_use(const context::Context &context, const Locked &team, const Datum *key) {
    if (team.is_root)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the root team cannot be deleted")));
    if (pg::execute(find_child, key) != 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("team has teams below it"), errhint("Delete them first.")));
    if (pg::execute(find_user, key) != 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("team has users"),
                        errhint("Move them with aegis.move_user() first, inactive ones too.")));
    refuse_rows(context, team);
}

void record(const char *event, const pg_uuid_t &team) {
    ledger::Event entry{};
    entry.type = event;
    entry.target_kind = "team";
    entry.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&team)));
    ledger::append(entry);
}

}  // namespace

const context::Context &require_admin() {
    const context::Context &context = context::require();
    if (context.rank < context::kRankAdmin)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only an admin may change a team")));
    if (context.read_only)
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot change a team in a read-only context")));
    return context;
}

}  // namespace aegis::team

using namespace aegis;

AEGIS_FUNCTION(aegis_rename_team) {
    const context::Context &context = team::require_admin();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&id), PG_GETARG_DATUM(1)};
    if (pg::execute(team::update_name, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("team does not exist")));
    team::record("team.renamed", id);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_delete_team) {
    const context::Context &context = team::require_admin();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    Datum key[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&id)};
    team::Locked team = team::require_team(key);
    team::refuse_use(context, team, key);
    Datum parent[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&team.parent),
                      Int64GetDatum(team.last_ord)};
    pg::execute(team::keep_number, parent);
    pg::execute(team::delete_team, key);
    team::record("team.deleted", id);
    pg::leave(before);
    PG_RETURN_VOID();
}

// SPDX-License-Identifier: Apache-2.0
#include "user_authority.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"

namespace aegis::user {

using context::Context;

namespace {

pg::Statement find_target = {
    "SELECT u.rank, m.ord, u.status OPERATOR(pg_catalog.=) 'active', u.was_admin"
    "  FROM aegis.user u"
    "  JOIN aegis.team m ON m.tenant_id OPERATOR(pg_catalog.=) u.tenant_id AND m.id "
    "OPERATOR(pg_catalog.=) u.team_id"
    " WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND u.id OPERATOR(pg_catalog.=) $2 FOR NO KEY "
    "UPDATE OF u",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

// Locks the one that must stay: two admins who remove each other at once meet here.
pg::Statement find_other_admin = {
    "SELECT u.id FROM aegis.user u"
    " WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND u.id OPERATOR(pg_catalog.<>) $2"
    "   AND u.rank OPERATOR(pg_catalog.=) 4::pg_catalog.int2 AND u.status OPERATOR(pg_catalog.=) "
    "'active'"
    " ORDER BY u.id LIMIT 1 FOR NO KEY UPDATE",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

}  // namespace

bool is_unbounded(const Context &context) {
    return context.way == context::Way::break_glass || context.rank == context::kRankAdmin;
}

const Context &require_writable() {
    const Context &context = context::require();
    if (context.read_only)
        ereport(ERROR,
                (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("the context is read-only")));
    return context;
}

void require_authority(const Context &context, int16 rank, int64 team_ord) {
    if (is_unbounded(context)) return;
    if (context.rank >= context::kRankTeamLead && rank < context.rank &&
        team_ord >= context.team_lo && team_ord <= context.team_hi)
        return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("not permitted for your rank and team")));
}

Target require_target(const Context &context, const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&user)};
    Target target = {};
    bool found = pg::execute(find_target, values) == 1, is_null;
    if (found) {
        target = {
            DatumGetInt16(pg::column(0, 1, &is_null)), DatumGetInt64(pg::column(0, 2, &is_null)),
            DatumGetBool(pg::column(0, 3, &is_null)), DatumGetBool(pg::column(0, 4, &is_null))};
        target.was_admin = target.was_admin || target.rank == context::kRankAdmin;
    }
    // Outside the range a user does not exist for the caller.
    if (!found || (!is_unbounded(context) &&
                   (target.team_ord < context.team_lo || target.team_ord > context.team_hi)))
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("user does not exist")));
    if (memcmp(&context.user, &user, sizeof user) == 0)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("not permitted for your own user")));
    require_authority(context, target.rank, target.team_ord);
    return target;
}

void require_other_admin(const Context &context, const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&user)};
    if (pg::execute(find_other_admin, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("user is the last admin of the tenant"),
                        errhint("Make another user an admin first.")));
}

void record(const char *event, const pg_uuid_t &user, const ledger::DetailPair *pairs, int count) {
    uint8_t detail[256];
    char id[37];
    format(user, id);
    ledger::Event entry = {event};
    entry.target_kind = "user";
    entry.target_id = id;
    if (count > 0) entry.detail = ledger::encode_detail(pairs, count, detail);
    ledger::append(entry);
}

}  // namespace aegis::user

// SPDX-License-Identifier: Apache-2.0
// The functions that SQL calls: a user's own second factor, the rule of the tenant, and what an
// admin does for somebody whose authenticator is lost.
#include "second_factor.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "session.hpp"
#include "sign_in.hpp"
#include "step_up.hpp"
#include "user.hpp"
#include "user_authority.hpp"

namespace {

using namespace aegis;
using context::Context;

pg::Statement delete_factors = {
    "DELETE FROM aegis.second_factor WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement delete_codes = {
    "DELETE FROM aegis.recovery_code WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement upsert_policy = {
    "INSERT INTO aegis.second_factor_policy (tenant_id, minimum_rank) VALUES ($1, $2)"
    " ON CONFLICT (tenant_id) DO UPDATE SET minimum_rank = excluded.minimum_rank",
    2,
    {UUIDOID, INT2OID},
    nullptr};

pg::Statement delete_policy = {
    "DELETE FROM aegis.second_factor_policy WHERE tenant_id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

// The first of two people leaves a row, the second takes it away. A request of more than a day ago
// is none, and who repeats their own only renews it.
pg::Statement take_request = {
    "DELETE FROM aegis.second_factor_reset"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2"
    "   AND requested_by OPERATOR(pg_catalog.<>) $3"
    "   AND requested_at OPERATOR(pg_catalog.>) $4",
    4,
    {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement leave_request = {
    "INSERT INTO aegis.second_factor_reset (tenant_id, user_id, requested_by, requested_at)"
    " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, user_id)"
    " DO UPDATE SET requested_by = excluded.requested_by, requested_at = excluded.requested_at",
    4,
    {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

const Context &require_session() {
    const Context &context = user::require_writable();
    if (context.way != context::Way::session_token)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("the context does not come from a session")));
    return context;
}

void drop_factor(const pg_uuid_t &tenant, const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user)};
    pg::execute(delete_factors, values);
    pg::execute(delete_codes, values);
}

// Who acts, so that two requests are known to be of two people.
char *actor(const Context &context) {
    if (context.way == context::Way::break_glass)
        return psprintf("operator %s", GetUserNameFromId(GetSessionUserId(), false));
    char *id = static_cast<char *>(palloc(37));
    user::format(context.user, id);
    return id;
}

}  // namespace

AEGIS_FUNCTION(aegis_begin_second_factor) {
    const Context &context = require_session();
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    // Who replaces a factor shows the old one first; a first one needs the password again.
    step_up::require(context);
    char *secret, *uri, *qr;
    second_factor::begin(context.tenant, context.user, caller, &secret, &uri, &qr);
    pg::leave(before);
    return second_factor::enrolment_tuple(fcinfo, secret, uri, qr);
}

AEGIS_FUNCTION(aegis_confirm_second_factor) {
    const Context &context = require_session();
    const char *code = text_to_cstring(PG_GETARG_TEXT_PP(0));
    step_up::require(context);
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    if (!second_factor::confirm(context.tenant, context.user, code, GetCurrentTimestamp(), true))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("code does not fit the secret"),
                 errhint("Take the code that the authenticator shows now. If it is refused again, "
                         "begin anew, and compare the clock of the device.")));
    // Those that were made before would not ask for a code of it.
    sign_in::forget_challenges(context.user);
    Datum codes = second_factor::renew_recovery_codes(context.tenant, context.user, caller);
    pg::leave(before);
    PG_RETURN_DATUM(codes);
}

AEGIS_FUNCTION(aegis_remove_second_factor) {
    const Context &context = require_session();
    step_up::require(context);
    pg::Identity before = pg::enter();
    second_factor::State state =
        second_factor::state_of(context.tenant, context.user, context.rank);
    if (state.required)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("your organisation wants a second factor of your rank"),
                        errhint("Set up another one in its place.")));
    if (state.active) {
        drop_factor(context.tenant, context.user);
        user::record("auth.second_factor_removed", context.user, nullptr, 0);
    }
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_new_recovery_codes) {
    const Context &context = require_session();
    step_up::require(context);
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    if (!second_factor::state_of(context.tenant, context.user, context.rank).active)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("there is no second factor to recover"), errhint("Set one up first.")));
    Datum codes = second_factor::renew_recovery_codes(context.tenant, context.user, caller);
    pg::leave(before);
    PG_RETURN_DATUM(codes);
}

AEGIS_FUNCTION(aegis_require_second_factor) {
    const Context &context = user::require_writable();
    int rank = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT16(0);
    if (!PG_ARGISNULL(0) && (rank < context::kRankUser || rank > context::kRankAdmin))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rank must be between 1 and 4"),
                 errhint("Ranks are 1 user, 2 team lead, 3 manager, 4 admin.")));
    if (!user::is_unbounded(context))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only admins decide about second factors")));
    step_up::require(context);
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&context.tenant), Int16GetDatum(static_cast<int16>(rank))};
    pg::execute(rank == 0 ? delete_policy : upsert_policy, values);
    char id[37];
    uint8_t detail[64];
    user::format(context.tenant, id);
    const ledger::DetailPair pair = {"rank", nullptr, rank};
    ledger::Event entry = {"tenant.second_factor_required"};
    entry.target_kind = "tenant";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    ledger::append(entry);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_reset_second_factor) {
    const Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    step_up::require(context);
    const char *outcome = "done";
    pg::Identity before = pg::enter();
    user::Target target = user::require_target(context, id);
    // Whoever holds a service's secret could be either of the two. And who was an admin counts as
    // one: else one person would take the rank, reset, and give it back.
    if (target.was_admin && context.way == context::Way::service)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("a service is no person who resets an admin's second factor")));
    TimestampTz now = GetCurrentTimestamp();
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&id),
                      CStringGetTextDatum(actor(context)),
                      TimestampTzGetDatum(now - USECS_PER_DAY)};
    if (target.was_admin && pg::execute(take_request, values) != 1) {
        values[3] = TimestampTzGetDatum(now);
        pg::execute(leave_request, values);
        user::record("user.second_factor_reset_requested", id, nullptr, 0);
        outcome = "requested";
    } else {
        drop_factor(context.tenant, id);
        session::end(id, nullptr, "credentials_changed");
        sign_in::forget_challenges(id);
        user::record("user.second_factor_reset", id, nullptr, 0);
    }
    pg::leave(before);
    PG_RETURN_TEXT_P(cstring_to_text(outcome));
}

// SPDX-License-Identifier: Apache-2.0
// The order is the point: who asks and why is checked, then charged in memory that no rollback
// reverts, then written, and only then the context exists.
#include "operator.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "role.hpp"
#include "team.hpp"
#include "tenant.hpp"

namespace aegis::operator_way {

namespace {

void require_operator() {
    Oid user = GetSessionUserId();
    if (role::is_tenant_session() ||
        !(superuser_arg(user) || is_member_of_role(user, role::operator_())))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("role \"%s\" may not assume a tenant", GetUserNameFromId(user, false)),
                 errhint("Connect as a member of aegis_operator.")));
}

int time_box_seconds(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) return Min(guc::operator_time_box, guc::operator_time_box_limit);
    const Interval *given = PG_GETARG_INTERVAL_P(argument);
    // Months have no length; nobody needs them here.
    bool sane = given->month == 0 && given->day >= 0 && given->day <= 1 && given->time >= 0 &&
                given->time <= USECS_PER_DAY;
    int64 micros = sane ? given->time + given->day * USECS_PER_DAY : 0;
    if (micros < USECS_PER_SEC || micros > guc::operator_time_box_limit * USECS_PER_SEC)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("time box must be between 1 and %d seconds", guc::operator_time_box_limit),
                 errhint("Take another when it is over; aegis.operator_time_box_limit is the "
                         "longest.")));
    return static_cast<int>(micros / USECS_PER_SEC);
}

void charge_and_record(const pg_uuid_t &tenant, const char *reason, const char *ticket,
                       bool read_only, int seconds) {
    char *target = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant)));
    charge::Order order{};
    order.kind = charge::Kind::break_glass;
    order.event = "operator.assumed_tenant";
    order.tenant = tenant;
    order.target = target;
    order.detail = psprintf("ticket %s, %s, %d s: %s", ticket,
                            read_only ? "read-only" : "read-write", seconds, reason);
    int slot = charge::open(order);

    const ledger::DetailPair pairs[] = {{"access", read_only ? "read-only" : "read-write", 0},
                                        {"reason", reason, 0},
                                        {"seconds", nullptr, seconds},
                                        {"ticket", ticket, 0}};
    uint8_t buffer[512];
    ledger::Event event{};
    event.type = order.event;
    event.tenant = &tenant;
    event.target_kind = "tenant";
    event.target_id = target;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    charge::settle(slot);
}

}  // namespace

const char *required_text(FunctionCallInfo fcinfo, int argument, const char *name, size_t most) {
    const char *given = PG_ARGISNULL(argument) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(argument));
    size_t length = strlen(given);
    if (strspn(given, " \t\r\n") == length)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be given", name),
                        errdetail("It is recorded in the ledger.")));
    if (length > most)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("%s is longer than %zu bytes", name, most)));
    return given;
}

}  // namespace aegis::operator_way

using namespace aegis;

AEGIS_FUNCTION(aegis_assume_tenant) {
    operator_way::require_operator();
    if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("tenant and read_only must not be null")));
    const char *reason =
        operator_way::required_text(fcinfo, 1, "reason", operator_way::kReasonBytes);
    const char *ticket =
        operator_way::required_text(fcinfo, 2, "ticket", operator_way::kTicketBytes);
    bool read_only = PG_GETARG_BOOL(3);
    int seconds = operator_way::time_box_seconds(fcinfo, 4);
    // A subtransaction would give back the read-only state when it ends, and keep the context.
    if (GetCurrentTransactionNestLevel() > 1)
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("cannot assume a tenant inside a subtransaction"),
                        errhint("Call aegis.assume_tenant() first in the transaction.")));
    if (context::current() != nullptr)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_CONTEXT_REFUSED),
                        errmsg("context is already set in this transaction"),
                        errhint("Start a new transaction.")));

    // Before the look at its state: who exports or erases it waits for whoever found it active.
    team::hold_numbers(*PG_GETARG_UUID_P(0));
    tenant::Tenant tenant = tenant::require(*PG_GETARG_UUID_P(0));
    // Why a tenant was suspended, and whether it may work again, is found out by looking.
    if (strncmp(tenant.status, "eras", 4) == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant was erased"),
                        errhint("aegis.erasure_certificate() says when and why.")));
    if (!tenant.active && !read_only)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant is suspended"),
                        errhint("Assume it read-only, or call aegis.reactivate_tenant() first.")));
    pg_uuid_t team;
    int64 ord, last_ord;
    if (!tenant::root_team(tenant.id, &team, &ord, &last_ord))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("tenant has no root team")));

    operator_way::charge_and_record(tenant.id, reason, ticket, read_only, seconds);

    context::Context context{};
    context.tenant = tenant.id;
    context.way = context::Way::break_glass;
    context.read_only = read_only;
    context.expires_at =
        TimestampTzPlusMilliseconds(GetCurrentTimestamp(), static_cast<int64>(seconds) * 1000);
    // The tenant's quotas are its own; what holds a client that waits holds an operator too.
    context.idle_ms = Min(guc::tenant_idle_timeout_ms > 0 ? guc::tenant_idle_timeout_ms : INT_MAX,
                          seconds * 1000);
    const pg_uuid_t nobody{};
    context::set_ranges(context, context::kRankAdmin, nobody, ord, last_ord);
    context::establish(context);
    context::hold_to_time();
    if (read_only)
        set_config_option("transaction_read_only", "on", PGC_USERSET, PGC_S_SESSION,
                          GUC_ACTION_LOCAL, true, 0, false);
    PG_RETURN_VOID();
}

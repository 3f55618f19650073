// SPDX-License-Identifier: Apache-2.0
// Sets a tenant's limits and shows them.
#include "limit.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tenant.hpp"
#include "user.hpp"

namespace aegis::limit {

namespace {

constexpr int kLimits = 5;

pg::Statement write_limits = {
    "INSERT INTO aegis.tenant_limit AS l VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT ON CONSTRAINT tenant_limit_pkey DO UPDATE SET"
    " (statement_ms, lock_ms, idle_ms, requests_per_minute, rows_per_minute) ="
    " ROW ($2, $3, $4, $5, $6)",
    6,
    {UUIDOID, INT4OID, INT4OID, INT4OID, INT4OID, INT4OID},
    nullptr};

int32 milliseconds_of(const Interval *given, const char *name) {
    bool sane = given->month == 0 && given->day >= 0 && given->day <= 1 && given->time >= 0 &&
                given->time <= USECS_PER_DAY;
    int64 ms = sane ? (given->time + given->day * USECS_PER_DAY + 999) / 1000 : -1;
    if (ms < 0 || ms > 86400000)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must be between 0 and 1 day", name),
                        errhint("0 is no limit, NULL the server's setting.")));
    return static_cast<int32>(ms);
}

int32 per_minute(int32 given, const char *name) {
    if (given < 0 || given > kMostPerMinute)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must be between 0 and %d", name, kMostPerMinute),
                        errhint("0 is no limit, NULL the server's setting.")));
    return given;
}

}  // namespace

}  // namespace aegis::limit

using namespace aegis;

AEGIS_FUNCTION(aegis_set_tenant_limits) {
    static const char *const names[] = {"statement_timeout", "lock_timeout", "idle_timeout",
                                        "requests_per_minute", "rows_per_minute"};
    pg_uuid_t id = tenant::id_argument(fcinfo);
    tenant::require(id);

    Datum values[1 + limit::kLimits] = {UUIDPGetDatum(&id)};
    char nulls[] = "      ";
    ledger::DetailPair pairs[limit::kLimits];
    int count = 0;
    for (int i = 0; i < limit::kLimits; i++) {
        if (PG_ARGISNULL(1 + i)) {
            nulls[1 + i] = 'n';
            continue;
        }
        int32 value = i < 3 ? limit::milliseconds_of(PG_GETARG_INTERVAL_P(1 + i), names[i])
                            : limit::per_minute(PG_GETARG_INT32(1 + i), names[i]);
        values[1 + i] = Int32GetDatum(value);
        pairs[count++] = {names[i], nullptr, value};
    }
    pg::Identity before = pg::enter();
    pg::execute(limit::write_limits, values, nulls);
    char text[37];
    user::format(id, text);
    uint8_t buffer[256];
    ledger::Event event{};
    event.type = "tenant.limits_set";
    event.tenant = &id;
    event.target_kind = "tenant";
    event.target_id = text;
    event.detail = ledger::encode_detail(pairs, count, core::ByteSpan(buffer));
    ledger::append(event);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_limits_of) {
    pg_uuid_t tenant = *PG_GETARG_UUID_P(0);
    limit::Limits limits = limit::of_tenant(tenant);
    limit::Use use = limit::use_of_tenant(tenant, limits);
    auto interval = [](int32 ms) {
        Interval *result = static_cast<Interval *>(palloc0(sizeof(Interval)));
        result->time = ms * INT64CONST(1000);
        return IntervalPGetDatum(result);
    };
    Datum values[] = {interval(limits.statement_ms), interval(limits.lock_ms),
                      interval(limits.idle_ms),      Int32GetDatum(limits.requests),
                      Int32GetDatum(use.requests),   Int32GetDatum(limits.rows),
                      Int32GetDatum(use.rows)};
    bool nulls[lengthof(values)] = {};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.limits_of is not a record")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

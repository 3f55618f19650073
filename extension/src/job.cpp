// SPDX-License-Identifier: Apache-2.0
// The SQL side of jobs: creating, pausing, resuming, waiting. Run as aegis_owner (SECURITY
// DEFINER), called by operators.
#include "job.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "worker.hpp"

namespace {

using namespace aegis;

constexpr long kPollMillis = 50;

void append(const char *type, int64 id, const char *kind, const pg_uuid_t *tenant) {
    char text[32];
    uint8_t bytes[256];
    snprintf(text, sizeof text, INT64_FORMAT, id);
    ledger::DetailPair pair = {"kind", kind, 0};
    ledger::Event event = {};
    event.type = type;
    event.tenant = tenant;
    event.target_kind = "job";
    event.target_id = text;
    event.detail = ledger::encode_detail(&pair, 1, core::ByteSpan(bytes));
    ledger::append(event);
}

bool is_empty_object(Jsonb *value) {
    return JB_ROOT_IS_OBJECT(value) && JB_ROOT_COUNT(value) == 0;
}

// Moves a job from one state to another, or says why not.
void move(int64 id, const char *from, const char *to, const char *verb, const char *event) {
    Oid types[] = {INT8OID, TEXTOID, TEXTOID};
    Datum values[] = {Int64GetDatum(id), CStringGetTextDatum(from), CStringGetTextDatum(to)};
    SPI_connect();
    int got = SPI_execute_with_args(
        "UPDATE aegis.job SET state = $3, attempts = 0, error = NULL, finished_at = NULL "
        "WHERE id = $1 AND state = ANY (pg_catalog.string_to_array($2, ' ')) RETURNING kind, "
        "tenant_id",
        3, types, values, nullptr, false, 1);
    if (got != SPI_OK_UPDATE_RETURNING || SPI_processed != 1)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("job " INT64_FORMAT " cannot be %s", id, verb),
                        errhint("aegis.jobs shows its state.")));
    bool is_null;
    char *kind = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    Datum tenant = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &is_null);
    append(event, id, kind, is_null ? nullptr : DatumGetUUIDP(tenant));
    SPI_finish();
}

}  // namespace

namespace aegis::job {

int64 create(const char *kind, const pg_uuid_t *tenant) {
    Oid types[] = {TEXTOID, UUIDOID, TEXTOID};
    Datum values[] = {CStringGetTextDatum(kind), UUIDPGetDatum(tenant),
                      CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))};
    char nulls[] = {' ', tenant == nullptr ? 'n' : ' ', ' ', '\0'};
    int got = SPI_execute_with_args(
        "INSERT INTO aegis.job (kind, tenant_id, created_by_role) VALUES ($1, $2, $3) "
        "RETURNING id",
        3, types, values, nulls, false, 1);
    if (got != SPI_OK_INSERT_RETURNING || SPI_processed != 1)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not create a job")));
    bool is_null;
    int64 id =
        DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    append("job.created", id, kind, tenant);
    return id;
}

}  // namespace aegis::job

AEGIS_FUNCTION(aegis_create_job) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("kind and args of a job must not be null")));
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const pg_uuid_t *tenant = PG_ARGISNULL(1) ? nullptr : PG_GETARG_UUID_P(1);
    Jsonb *args = PG_GETARG_JSONB_P(2);
    const job::Kind *kind = job::find_kind(name);
    if (kind == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("kind of job \"%s\" does not exist", name),
                        errhint("There are: %s.", job::kind_names())));
    if (kind->made_by != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job of kind \"%s\" is made by %s alone", name, kind->made_by)));
    if (kind->scope == job::Scope::system && tenant != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job of kind \"%s\" is for the whole system", name),
                        errhint("Leave the tenant out.")));
    if (kind->scope == job::Scope::tenant && tenant == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job of kind \"%s\" needs a tenant", name)));
    if (!is_empty_object(args))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("a job of kind \"%s\" takes no arguments", name), errhint("Pass '{}'.")));

    SPI_connect();
    int64 id = job::create(name, tenant);
    SPI_finish();
    PG_RETURN_INT64(id);
}

AEGIS_FUNCTION(aegis_pause_job) {
    move(PG_GETARG_INT64(0), "queued running", "paused", "paused", "job.paused");
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_resume_job) {
    move(PG_GETARG_INT64(0), "paused failed", "queued", "resumed", "job.resumed");
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_wait_job) {
    int64 id = PG_GETARG_INT64(0);
    Interval *timeout = PG_GETARG_INTERVAL_P(1);
    int64_t deadline =
        worker::now_micros() + timeout->time + (timeout->day + 30 * timeout->month) * USECS_PER_DAY;
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(id)};
    for (;;) {
        // Each look needs a snapshot of its own, at every isolation level.
        PushActiveSnapshot(GetLatestSnapshot());
        SPI_connect();
        int got = SPI_execute_with_args(
            "SELECT state, xmin = pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid, "
            "state IN ('queued', 'running') FROM aegis.job WHERE id = $1",
            1, types, values, nullptr, true, 1);
        if (got != SPI_OK_SELECT || SPI_processed != 1)
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("job " INT64_FORMAT " does not exist", id)));
        HeapTuple row = SPI_tuptable->vals[0];
        bool is_null;
        char state[16];
        strlcpy(state, SPI_getvalue(row, SPI_tuptable->tupdesc, 1), sizeof state);
        Datum is_mine = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &is_null);
        bool mine = !is_null && DatumGetBool(is_mine);
        bool unfinished = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &is_null));
        SPI_finish();
        PopActiveSnapshot();
        if (!unfinished || worker::now_micros() >= deadline)
            PG_RETURN_TEXT_P(cstring_to_text(state));
        if (mine)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("job " INT64_FORMAT
                                   " was created by this transaction, so it cannot run yet",
                                   id),
                            errhint("Commit first.")));
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMillis,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

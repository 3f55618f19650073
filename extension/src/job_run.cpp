// SPDX-License-Identifier: Apache-2.0
// Runs jobs in a process of its own, so that no job keeps the worker from sealing. The process
// comes when a job is due and goes when none is. A crash loses at most one step: what was tried is
// committed before, what was done together with its progress.
#include "context.hpp"
#include "guc.hpp"
#include "job.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "role.hpp"
#include "tenant.hpp"
#include "worker.hpp"

namespace aegis::job {

namespace {

// A step that took the server down as often as this is not tried again.
constexpr int32 kMostAttempts = 3;
constexpr int64_t kLookMicros = 1000000;

// Jobs of a suspended tenant wait where they are. A macro, to stand inside other literals.
#define AEGIS_JOB_MAY_RUN \
    " NOT EXISTS (SELECT FROM aegis.tenant t WHERE t.id = tenant_id AND t.status = 'suspended') "

struct Claimed {
    Job job;
    const Kind *kind;  // nullptr when this version does not know it
    char kind_name[NAMEDATALEN];
    int32 attempts;
};

Datum column(int number, bool *is_null) {
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, is_null);
}

void expect(int got, int wanted) {
    if (got != wanted || SPI_processed != 1)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("unexpected answer from table aegis.job: %s",
                               SPI_result_code_string(got))));
}

Oid outer_user;
int outer_security;

void begin() {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    GetUserIdAndSecContext(&outer_user, &outer_security);
    if (!worker::hold_extension())
        ereport(FATAL, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the extension aegis was dropped")));
    SPI_connect();
}

void finish() {
    SPI_finish();
    SetUserIdAndSecContext(outer_user, outer_security);
    PopActiveSnapshot();
    CommitTransactionCommand();
}

// Marks the job before the step begins, so that a step that kills its process leaves a trace.
bool claim(Claimed *claimed) {
    SetUserIdAndSecContext(role::owner(), SECURITY_LOCAL_USERID_CHANGE);
    int got = SPI_execute(
        "UPDATE aegis.job j SET state = 'running', attempts = j.attempts + 1, "
        "started_at = coalesce(j.started_at, pg_catalog.now()) "
        "WHERE j.id = (SELECT i.id FROM aegis.job i WHERE i.state IN ('queued', 'running') "
        "AND" AEGIS_JOB_MAY_RUN
        "ORDER BY i.id LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING j.id, j.kind, j.tenant_id, j.done, j.attempts",
        false, 1);
    if (got == SPI_OK_UPDATE_RETURNING && SPI_processed == 0) return false;
    expect(got, SPI_OK_UPDATE_RETURNING);
    bool is_null;
    claimed->job.id = DatumGetInt64(column(1, &is_null));
    strlcpy(claimed->kind_name, TextDatumGetCString(column(2, &is_null)),
            sizeof claimed->kind_name);
    claimed->kind = find_kind(claimed->kind_name);
    Datum tenant = column(3, &is_null);
    claimed->job.has_tenant = !is_null;
    memset(&claimed->job.tenant, 0, sizeof claimed->job.tenant);
    if (!is_null) claimed->job.tenant = *DatumGetUUIDP(tenant);
    claimed->job.done = DatumGetInt64(column(4, &is_null));
    claimed->attempts = DatumGetInt32(column(5, &is_null));
    return true;
}

// Nobody's rows but the job's tenant's, whatever the step does.
void enter(const Claimed &claimed) {
    if (claimed.job.has_tenant) {
        tenant::Tenant tenant;
        if (tenant::find_by_id(claimed.job.tenant, &tenant) &&
            strcmp(tenant.region, guc::region) != 0)
            tenant::refuse_region("tenant", tenant.region);
        context::Context context = {};
        static const pg_uuid_t nobody = {};
        context.tenant = claimed.job.tenant;
        context.way = context::Way::job;
        context.job = claimed.job.id;
        context::set_ranges(context, context::kRankAdmin, nobody, 0, 0);
        context.expires_at = DT_NOEND;
        context::establish(context);
    }
    SetUserIdAndSecContext(claimed.kind->role(), SECURITY_LOCAL_USERID_CHANGE);
}

void append_finished(const Claimed &claimed, const char *error) {
    char id[32];
    uint8_t bytes[256];
    snprintf(id, sizeof id, INT64_FORMAT, claimed.job.id);
    ledger::DetailPair kind = {"kind", claimed.kind_name, 0};
    ledger::Event event = {};
    event.type = "job.finished";
    event.outcome = error == nullptr ? core::Outcome::success : core::Outcome::failure;
    event.tenant = claimed.job.has_tenant ? &claimed.job.tenant : nullptr;
    event.target_kind = "job";
    event.target_id = id;
    event.detail = ledger::encode_detail(&kind, 1, core::ByteSpan(bytes));
    ledger::append(event);
}

void save(const Claimed &claimed, const Progress &progress) {
    SetUserIdAndSecContext(role::owner(), SECURITY_LOCAL_USERID_CHANGE);
    Oid types[] = {INT8OID, INT8OID, TEXTOID, BOOLOID};
    Datum values[] = {Int64GetDatum(claimed.job.id), Int64GetDatum(progress.done),
                      progress.result != nullptr ? CStringGetTextDatum(progress.result) : 0,
                      BoolGetDatum(progress.finished)};
    char nulls[] = {' ', ' ', progress.result != nullptr ? ' ' : 'n', ' ', '\0'};
    expect(SPI_execute_with_args(
               "UPDATE aegis.job SET done = $2, attempts = 0, "
               "result = coalesce($3::pg_catalog.jsonb, result), "
               "state = CASE WHEN $4 THEN 'done' ELSE state END, "
               "finished_at = CASE WHEN $4 THEN pg_catalog.clock_timestamp() END WHERE id = $1",
               4, types, values, nulls, false, 0),
           SPI_OK_UPDATE);
    if (progress.finished) append_finished(claimed, nullptr);
}

void save_failure(const Claimed &claimed, const char *error) {
    SetUserIdAndSecContext(role::owner(), SECURITY_LOCAL_USERID_CHANGE);
    Oid types[] = {INT8OID, TEXTOID};
    Datum values[] = {Int64GetDatum(claimed.job.id), CStringGetTextDatum(error)};
    expect(SPI_execute_with_args("UPDATE aegis.job SET state = 'failed', error = $2, "
                                 "finished_at = pg_catalog.clock_timestamp() WHERE id = $1",
                                 2, types, values, nullptr, false, 0),
           SPI_OK_UPDATE);
    if (claimed.kind != nullptr && claimed.kind->failed != nullptr)
        claimed.kind->failed(claimed.job);
    append_finished(claimed, error);
}

// The job may have been paused, or its tenant suspended, since it was claimed; locks the row for
// the step.
bool still_running(const Claimed &claimed) {
    SetUserIdAndSecContext(role::owner(), SECURITY_LOCAL_USERID_CHANGE);
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(claimed.job.id)};
    int got = SPI_execute_with_args(
        "SELECT 1 FROM aegis.job WHERE id = $1 AND state = 'running' AND" AEGIS_JOB_MAY_RUN
        "FOR UPDATE",
        1, types, values, nullptr, false, 1);
    return got == SPI_OK_SELECT && SPI_processed == 1;
}

// True when the step was done; false with the reason in *error, allocated in `memory`.
bool perform(const Claimed &claimed, MemoryContext memory, char **error, int *rest_millis) {
    volatile bool performed = false;
    *error = nullptr;
    PG_TRY();
    {
        begin();
        if (still_running(claimed)) {
            enter(claimed);
            Progress progress = claimed.kind->step(claimed.job);
            save(claimed, progress);
            *rest_millis = progress.rest_millis;
        }
        finish();
        performed = true;
    }
    PG_CATCH();
    {
        HOLD_INTERRUPTS();
        MemoryContextSwitchTo(memory);
        ErrorData *data = CopyErrorData();
        EmitErrorReport();
        FlushErrorState();
        AbortCurrentTransaction();
        RESUME_INTERRUPTS();
        MemoryContextSwitchTo(memory);
        *error = data->message;
    }
    PG_END_TRY();
    return performed;
}

}  // namespace

bool run_next(int *rest_millis) {
    *rest_millis = 0;
    static MemoryContext memory = nullptr;
    if (memory == nullptr)
        memory = AllocSetContextCreate(TopMemoryContext, "aegis job step", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(memory);

    Claimed claimed = {};
    begin();
    bool due = claim(&claimed);
    finish();
    if (!due) return false;

    char unknown[] = "this version does not know the kind of the job";
    char crashed[] = "the process ended in the same step several times";
    char *error = nullptr;
    if (claimed.kind == nullptr)
        error = unknown;
    else if (claimed.attempts > kMostAttempts)
        error = crashed;
    else
        perform(claimed, memory, &error, rest_millis);
    if (error != nullptr) {
        begin();
        save_failure(claimed, error);
        finish();
    }
    return true;
}

void tend() {
    static BackgroundWorkerHandle *handle = nullptr;
    static int64_t next_look = 0;
    pid_t pid;
    if (handle != nullptr && GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED) {
        pfree(handle);
        handle = nullptr;
    }
    if (handle != nullptr || worker::now_micros() < next_look || guc::restore_mode) return;
    next_look = worker::now_micros() + kLookMicros;
    SPI_connect();
    int got = SPI_execute(
        "SELECT 1 FROM aegis.job WHERE state IN ('queued', 'running') "
        "AND" AEGIS_JOB_MAY_RUN "LIMIT 1",
        true, 1);
    bool due = got == SPI_OK_SELECT && SPI_processed == 1;
    SPI_finish();
    if (!due) return;

    BackgroundWorker process;
    memset(&process, 0, sizeof process);
    process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    process.bgw_start_time = BgWorkerStart_RecoveryFinished;
    process.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(process.bgw_library_name, "aegis", BGW_MAXLEN);
    strlcpy(process.bgw_function_name, "aegis_job_main", BGW_MAXLEN);
    snprintf(process.bgw_name, BGW_MAXLEN, "aegis jobs of database %u", MyDatabaseId);
    strlcpy(process.bgw_type, "aegis jobs", BGW_MAXLEN);
    process.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
    process.bgw_notify_pid = MyProcPid;
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    bool registered = RegisterDynamicBackgroundWorker(&process, &handle);
    MemoryContextSwitchTo(old);
    if (!registered) {
        handle = nullptr;
        ereport(ERROR,
                (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                 errmsg("could not start the process for jobs: out of background worker slots"),
                 errhint("Raise max_worker_processes.")));
    }
}

}  // namespace aegis::job

using namespace aegis;

extern "C" AEGIS_EXPORT void aegis_job_main(Datum database) {
    worker::connect(DatumGetObjectId(database));
    if (!worker::extension_is_here() || !worker::lock_alone(worker::Part::jobs)) proc_exit(0);
    int rest_millis = 0;
    do {
        worker::rest(rest_millis);
    } while (job::run_next(&rest_millis));
    proc_exit(0);
}

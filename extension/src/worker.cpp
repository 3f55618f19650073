// SPDX-License-Identifier: Apache-2.0
// The worker of one database: a loop of steps, each in a transaction of its own. A step that fails
// is reported in the server log and tried again after a growing pause; the others go on meanwhile.
#include "worker.hpp"

#include <csignal>
#include <ctime>

#include "anchor.hpp"
#include "charge.hpp"
#include "checkpoint.hpp"
#include "coverage.hpp"
#include "guc.hpp"
#include "job.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "region.hpp"
#include "service_nonce.hpp"
#include "role.hpp"
#include "seal.hpp"
#include "wall.hpp"
#include "watch.hpp"
#include "witness.hpp"

namespace aegis::worker {

int64_t now_micros() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

Slot *slot() {
    static Slot *mine = nullptr;  // a database keeps its slot while anybody is connected to it
    region::State *state = region::state();
    if (state == nullptr || !OidIsValid(MyDatabaseId)) return nullptr;
    if (mine != nullptr && mine->database.load() == MyDatabaseId) return mine;
    for (Slot &candidate : state->workers.databases)
        if (candidate.database.load() == MyDatabaseId) return mine = &candidate;
    return nullptr;
}

bool is_alive() {
    Slot *of_database = slot();
    if (of_database == nullptr) return false;
    int32_t pid = of_database->pid.load();
    return pid != 0 && kill(pid, 0) == 0 &&
           now_micros() - of_database->heartbeat_micros.load() < kStaleMicros;
}

void wake() {
    Slot *of_database = slot();
    if (of_database == nullptr) return;
    // A stale number wakes some other process for nothing, which is harmless.
    int32_t at = of_database->wake_at.load();
    if (at > 0 && static_cast<uint32>(at) <= ProcGlobal->allProcCount)
        SetLatch(&ProcGlobal->allProcs[at - 1].procLatch);
}

void survive_restart() {
    Slots &slots = region::state()->workers;
    for (Slot &of_database : slots.databases) {
        of_database.wake_at.store(0);
        of_database.pid.store(0);
    }
    slots.launcher_wake_at.store(0);
    slots.launcher_pid.store(0);
}

void beat() {
    Slot *of_database = slot();
    if (of_database != nullptr && of_database->pid.load() == MyProcPid)
        of_database->heartbeat_micros.store(now_micros());
}

namespace {

// Fourth field of the advisory lock: users' locks have 1 and 2 there, so none can collide.
constexpr uint16 kLockSpace = 0xAE;

LOCKTAG tag_of(Part part) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, static_cast<uint32>(part), kLockSpace);
    return tag;
}

// DROP, ALTER and CREATE DATABASE ... TEMPLATE hold a lock on the database and wait a few seconds
// for its sessions to go. A worker goes at once; the launcher's next one waits for the lock.
bool database_is_wanted() {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
    if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL) return true;
    LockRelease(&tag, RowExclusiveLock, true);
    return false;
}

// Settings that somebody made for the database or the superuser must not bend the worker. The cost
// of its plans grows with the ledger, not what they take: compiling them would be most of the work.
void set_fixed_settings() {
    static const char *const fixed[][2] = {
        {"synchronous_commit", "on"},
        {"search_path", "pg_catalog"},
        {"row_security", "on"},
        {"session_replication_role", "origin"},
        {"default_transaction_read_only", "off"},
        {"default_transaction_isolation", "read committed"},
        {"statement_timeout", "0"},
        {"lock_timeout", "0"},
        {"idle_in_transaction_session_timeout", "0"},
        {"jit", "off"},
    };
    for (const auto &setting : fixed)
        SetConfigOption(setting[0], setting[1], PGC_SUSET, PGC_S_OVERRIDE);
}

}  // namespace

void connect(Oid database) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    set_fixed_settings();
}

bool extension_is_here() {
    StartTransactionCommand();
    bool here = OidIsValid(get_extension_oid("aegis", true));
    CommitTransactionCommand();
    return here;
}

bool hold_extension() {
    Oid extension = get_extension_oid("aegis", true);
    if (!OidIsValid(extension)) return false;
    LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
    return OidIsValid(get_extension_oid("aegis", true));
}

// The advisory lock goes with its holder, whatever the end.
bool lock_alone(Part part) {
    const LOCKTAG tag = tag_of(part);
    return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void lock_for_transaction(Part part) {
    const LOCKTAG tag = tag_of(part);
    LockAcquire(&tag, ExclusiveLock, false, false);
}

void rest(int millis) {
    if (millis > 0) {
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, millis,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
    if (ProcDiePending || database_is_wanted())
        proc_exit(1);  // at rest, so there is nothing to report
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

namespace {

// Longest rest between two passes: the heartbeat and the check for DROP DATABASE need it.
constexpr int kLongestRestMillis = 1000;
constexpr int64_t kFirstPauseMicros = 250000;
constexpr int64_t kLongestPauseMicros = 30 * 1000000;
struct Step {
    const char *name;
    void (*run)();
    int64_t not_before_micros;
    int64_t pause_micros;
};

// A server start and every wall that is off leave a trace in each database, once per start.
void announce() {
    Slot *mine = slot();
    if (mine->announced.load() != 0) return;
    static uint8_t bytes[256];
    ledger::DetailPair version = {"version", PG_VERSION, 0};
    ledger::Event started = {};
    started.type = "system.started";
    started.detail = ledger::encode_detail(&version, 1, core::ByteSpan(bytes));
    ledger::append(started);
    if (region::state()->demo_refused.load() != 0) {
        ledger::Event refused = {};
        refused.type = "system.demo_refused";
        refused.outcome = core::Outcome::denied;
        ledger::append(refused);
    }
    const char *names[wall::kWalls];
    int count = wall::switched_off_names(names);
    for (int i = 0; i < count; i++) {
        ledger::Event off = {};
        off.type = "setting.wall_off";
        off.target_kind = "setting";
        off.target_id = names[i];
        ledger::append(off);
    }
}

void collect() {
    if (!guc::restore_mode) charge::collect();
}
void seal() {
    seal::pass();
}

Step steps[] = {{"start record", announce, 0, 0},
                {"collect charges", collect, 0, 0},
                {"seal", seal, 0, 0},
                {"checkpoint", checkpoint::tend, 0, 0},
                {"witnesses", witness::tend, 0, 0},
                {"anchors", anchor::tend, 0, 0},
                {"coverage", coverage::tend, 0, 0},
                {"watch", watch::tend, 0, 0},
                {"jobs", job::tend, 0, 0}};

void name_step(void *arg) {
    errcontext("aegis worker, step \"%s\"", static_cast<Step *>(arg)->name);
}

void run(Step &step) {
    if (step.not_before_micros > now_micros()) return;
    ErrorContextCallback context = {error_context_stack, name_step, &step};
    error_context_stack = &context;
    PG_TRY();
    {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        PushActiveSnapshot(GetTransactionSnapshot());
        // The bootstrap superuser's rights are for what has no other way.
        Oid user;
        int security;
        GetUserIdAndSecContext(&user, &security);
        SetUserIdAndSecContext(role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
        bool here = hold_extension();
        if (here) step.run();
        SetUserIdAndSecContext(user, security);
        PopActiveSnapshot();
        CommitTransactionCommand();
        step.not_before_micros = step.pause_micros = 0;
        if (step.run == announce) slot()->announced.store(1);
    }
    PG_CATCH();
    {
        HOLD_INTERRUPTS();
        EmitErrorReport();
        FlushErrorState();
        AbortCurrentTransaction();
        step.pause_micros = step.pause_micros == 0
                                ? kFirstPauseMicros
                                : Min(2 * step.pause_micros, kLongestPauseMicros);
        step.not_before_micros = now_micros() + step.pause_micros;
        RESUME_INTERRUPTS();
    }
    PG_END_TRY();
    error_context_stack = context.previous;
    beat();
}

void release_slot(int, Datum) {
    Slot *mine = slot();
    if (mine == nullptr) return;
    int32_t pid = MyProcPid;
    mine->wake_at.store(0);
    mine->pid.compare_exchange_strong(pid, 0);
}

void claim_slot() {
    Slot *mine = slot();
    if (mine == nullptr)
        for (Slot &candidate : region::state()->workers.databases) {
            uint32_t expected = InvalidOid;
            if (candidate.database.compare_exchange_strong(expected, MyDatabaseId)) {
                mine = &candidate;
                break;
            }
        }
    if (mine == nullptr)
        ereport(FATAL, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("too many databases with the extension aegis"),
                        errdetail("A cluster has room for %d.", kMaxDatabases)));
    before_shmem_exit(release_slot, 0);
    mine->heartbeat_micros.store(now_micros());
    mine->pid.store(MyProcPid);
    mine->wake_at.store(MyProc->pgprocno + 1);
}

}  // namespace

}  // namespace aegis::worker

using namespace aegis;

extern "C" AEGIS_EXPORT void aegis_worker_main(Datum database) {
    worker::connect(DatumGetObjectId(database));
    if (!worker::extension_is_here()) {
        charge::forget(MyDatabaseId);
        proc_exit(0);
    }
    if (!worker::lock_alone(worker::Part::worker)) proc_exit(0);
    worker::claim_slot();
    service_nonce::begin();

    MemoryContext pass =
        AllocSetContextCreate(TopMemoryContext, "aegis worker pass", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        worker::rest(Min(guc::seal_interval_ms, worker::kLongestRestMillis));
        worker::beat();
        if (!worker::extension_is_here()) proc_exit(0);
        for (worker::Step &step : worker::steps) {
            MemoryContextSwitchTo(pass);
            worker::run(step);
            MemoryContextReset(pass);
        }
        pgstat_report_stat(false);
    }
}

// What the worker of this database is doing, for operators and health checks.
AEGIS_FUNCTION(aegis_worker_status) {
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    shape = BlessTupleDesc(shape);
    worker::Slot *mine = worker::slot();
    int32_t pid = mine != nullptr ? mine->pid.load() : 0;
    int64_t sealed = mine != nullptr ? mine->sealed_micros.load() : 0;
    charge::Usage usage = charge::usage();
    TimestampTz sealed_until = GetCurrentTimestamp() - (worker::now_micros() - sealed);

    Datum values[] = {
        BoolGetDatum(worker::is_alive()),
        Int32GetDatum(pid),
        Float8GetDatum(pid != 0 ? (worker::now_micros() - mine->heartbeat_micros.load()) / 1000000.0
                                : 0),
        TimestampTzGetDatum(sealed_until),
        Int32GetDatum(usage.open),
        Int32GetDatum(usage.waiting),
        Int64GetDatum(static_cast<int64>(usage.refused)),
    };
    bool nulls[] = {false, pid == 0, pid == 0, sealed == 0, false, false, false};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(shape, values, nulls)));
}

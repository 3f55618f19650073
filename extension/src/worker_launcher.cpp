// SPDX-License-Identifier: Apache-2.0
// The launcher: connected to no database, so that it stands in the way of none. It reads the key
// provider again on SIGHUP, and keeps one worker in every database that may have the extension. It
// cannot look inside a database; the worker does, and leaves when it finds nothing.
#include "charge.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "region.hpp"
#include "worker.hpp"

namespace aegis::worker {

namespace {

constexpr long kLookMillis = 5000;
constexpr int64_t kFirstPauseMicros = 1000000;
constexpr int64_t kLongestPauseMicros = 30 * 1000000;
// A worker that stayed this long had work here; when it ends it is started again at once.
constexpr int64_t kSettledMicros = 5 * 1000000;

struct Database {  // what the launcher knows about one database; lives in TopMemoryContext
    Oid oid;
    bool listed;                     // seen in the last look at pg_database
    bool retry;                      // got the extension while a worker was looking
    BackgroundWorkerHandle *handle;  // nullptr while no worker was started
    int64_t started_micros;
    int64_t not_before_micros;
    int64_t pause_micros;
};

List *databases = NIL;
uint32_t seen_attention = 0;
bool warned_about_slots = false;

Database *find(Oid oid) {
    ListCell *cell;
    foreach (cell, databases) {
        Database *database = static_cast<Database *>(lfirst(cell));
        if (database->oid == oid) return database;
    }
    Database *database =
        static_cast<Database *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Database)));
    database->oid = oid;
    database->pause_micros = kFirstPauseMicros;
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    databases = lappend(databases, database);
    MemoryContextSwitchTo(old);
    return database;
}

// Reads pg_database, which is shared and so readable without a database.
void look() {
    ListCell *cell;
    foreach (cell, databases) static_cast<Database *>(lfirst(cell))->listed = false;

    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation relation = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        Form_pg_database row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (row->datallowconn && !row->datistemplate) find(row->oid)->listed = true;
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    CommitTransactionCommand();

    // What a dropped database left in memory is of no use to anybody.
    Slots &slots = region::state()->workers;
    for (Slot &slot : slots.databases) {
        Oid oid = slot.database.load();
        if (oid == InvalidOid || slot.pid.load() != 0) continue;
        bool listed = false;
        foreach (cell, databases) {
            Database *database = static_cast<Database *>(lfirst(cell));
            listed = listed || (database->oid == oid && database->listed);
        }
        if (!listed) {
            charge::forget(oid);
            slot.announced.store(0);
            slot.sealed_micros.store(0);
            slot.signed_micros.store(0);
            slot.checkpoint.store(0);
            slot.database.store(InvalidOid);
        }
    }
    foreach (cell, databases) {
        Database *database = static_cast<Database *>(lfirst(cell));
        if (!database->listed && database->handle == nullptr) {
            databases = foreach_delete_current(databases, cell);
            pfree(database);
        }
    }
}

// Whether a worker ever found the extension in this database.
bool has_slot(Oid oid) {
    for (Slot &slot : region::state()->workers.databases)
        if (slot.database.load() == oid) return true;
    return false;
}

void start(Database *database) {
    BackgroundWorker worker;
    memset(&worker, 0, sizeof worker);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;  // this process decides
    strlcpy(worker.bgw_library_name, "aegis", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "aegis_worker_main", BGW_MAXLEN);
    snprintf(worker.bgw_name, BGW_MAXLEN, "aegis worker for database %u", database->oid);
    strlcpy(worker.bgw_type, "aegis worker", BGW_MAXLEN);
    worker.bgw_main_arg = ObjectIdGetDatum(database->oid);
    worker.bgw_notify_pid = MyProcPid;

    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    bool registered = RegisterDynamicBackgroundWorker(&worker, &database->handle);
    MemoryContextSwitchTo(old);
    database->started_micros = now_micros();
    if (!registered) {
        database->handle = nullptr;
        database->not_before_micros = database->started_micros + kFirstPauseMicros;
        if (!warned_about_slots)
            ereport(WARNING,
                    (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                     errmsg("could not start an aegis worker: out of background worker slots"),
                     errhint("Raise max_worker_processes.")));
        warned_about_slots = true;
    } else
        warned_about_slots = false;
}

// One worker where one is due. Returns how long to wait at most.
long tend() {
    int64_t now = now_micros();
    uint32_t attention = region::state()->workers.attention.load();
    bool retry_all = attention != seen_attention;
    seen_attention = attention;
    long wait = kLookMillis;

    ListCell *cell;
    foreach (cell, databases) {
        Database *database = static_cast<Database *>(lfirst(cell));
        if (retry_all) {
            database->not_before_micros = 0;
            database->pause_micros = kFirstPauseMicros;
            // A worker that is looking just now may have looked too early.
            database->retry = database->handle != nullptr && !has_slot(database->oid);
        }
        if (database->handle != nullptr) {
            pid_t pid;
            if (GetBackgroundWorkerPid(database->handle, &pid) != BGWH_STOPPED) continue;
            pfree(database->handle);
            database->handle = nullptr;
            if (now - database->started_micros >= kSettledMicros)
                database->pause_micros = kFirstPauseMicros;
            database->not_before_micros = database->retry ? 0 : now + database->pause_micros;
            database->pause_micros = Min(2 * database->pause_micros, kLongestPauseMicros);
            database->retry = false;
        }
        if (!database->listed) continue;
        if (database->not_before_micros <= now)
            start(database);
        else
            wait = Min(wait, static_cast<long>((database->not_before_micros - now) / 1000 + 1));
    }
    return wait;
}

void reload_keys() {
    region::unprotect_key_page();
    key::load_provider();
    region::protect_key_page();
}

void forget_launcher(int, Datum) {
    region::state()->workers.launcher_wake_at.store(0);
    region::state()->workers.launcher_pid.store(0);
}

}  // namespace

void define() {
    BackgroundWorker worker;
    memset(&worker, 0, sizeof worker);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    // On a standby too: its keys are reloaded like a primary's. Workers wait for the end of
    // recovery.
    worker.bgw_start_time = BgWorkerStart_ConsistentState;
    worker.bgw_restart_time = 1;
    strlcpy(worker.bgw_library_name, "aegis", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "aegis_launcher_main", BGW_MAXLEN);
    strlcpy(worker.bgw_name, "aegis launcher", BGW_MAXLEN);
    strlcpy(worker.bgw_type, "aegis launcher", BGW_MAXLEN);
    RegisterBackgroundWorker(&worker);
}

}  // namespace aegis::worker

using namespace aegis;

extern "C" AEGIS_EXPORT void aegis_launcher_main(Datum) {
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);

    worker::Slots &slots = region::state()->workers;
    before_shmem_exit(worker::forget_launcher, 0);
    slots.launcher_pid.store(MyProcPid);
    slots.launcher_wake_at.store(MyProc->pgprocno + 1);

    MemoryContext pass =
        AllocSetContextCreate(TopMemoryContext, "aegis launcher pass", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        if (ProcDiePending)
            proc_exit(1);  // at rest, so there is nothing to report; status 1 asks for a restart
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
            worker::reload_keys();
        }
        MemoryContextSwitchTo(pass);
        long wait = worker::kLookMillis;
        if (!RecoveryInProgress()) {
            worker::look();
            wait = worker::tend();
        }
        MemoryContextReset(pass);
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

namespace {

bool launcher_is_wanted = false;

void wake_launcher_after_commit(XactEvent event, void *) {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
    if (launcher_is_wanted && event == XACT_EVENT_COMMIT) {
        worker::Slots &slots = region::state()->workers;
        slots.attention.fetch_add(1);
        int32_t at = slots.launcher_wake_at.load();
        if (at > 0 && static_cast<uint32>(at) <= ProcGlobal->allProcCount)
            SetLatch(&ProcGlobal->allProcs[at - 1].procLatch);
    }
    launcher_is_wanted = false;
}

}  // namespace

// Called by the extension's script: the database gets its worker as soon as the script commits.
AEGIS_FUNCTION(aegis_start_worker) {
    static bool registered = false;
    if (!registered) {
        RegisterXactCallback(wake_launcher_after_commit, nullptr);
        registered = true;
    }
    launcher_is_wanted = true;
    PG_RETURN_VOID();
}

// SPDX-License-Identifier: Apache-2.0
// CREATE INDEX CONCURRENTLY cannot run inside a procedure, whatever that commits: it waits for all
// transactions, its caller's included. So a process of its own runs it, and the caller waits
// without a transaction's snapshot.
#include "field_convert.hpp"

#include "pg/function.hpp"
#include "worker.hpp"

namespace aegis::field::convert {

namespace {

struct Task {
    Oid database, relation, like;
    uint32_t reference;
};

// What aegis.twin_indexes() says about the index, in memory that outlives transactions.
char *statement_of(const Task &task) {
    char *statement = nullptr;
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    SPI_connect();
    Oid types[] = {REGCLASSOID, INT8OID, OIDOID};
    Datum values[] = {ObjectIdGetDatum(task.relation), Int64GetDatum(task.reference),
                      ObjectIdGetDatum(task.like)};
    SPI_execute_with_args(
        "SELECT build FROM aegis.twin_indexes($1, $2) WHERE index OPERATOR(pg_catalog.=) $3 AND "
        "NOT ready",
        3, types, values, nullptr, true, 1);
    if (SPI_processed == 1)
        statement = MemoryContextStrdup(
            TopMemoryContext, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    return statement;
}

void run_statement(const char *statement) {
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    RawStmt *raw = linitial_node(RawStmt, pg_parse_query(statement));
    PlannedStmt *planned = makeNode(PlannedStmt);
    planned->commandType = CMD_UTILITY;
    planned->canSetTag = false;
    planned->utilityStmt = raw->stmt;
    planned->stmt_location = 0;
    planned->stmt_len = static_cast<int>(strlen(statement));
    List *statements = list_make1(planned);  // outlives the transactions too
    MemoryContextSwitchTo(caller);
    debug_query_string = statement;
    StartTransactionCommand();
    // As a client's statement runs: event triggers at its end find a portal to run in.
    Portal portal = CreatePortal("", true, true);
    portal->visible = false;
    PortalDefineQuery(portal, nullptr, statement, CMDTAG_CREATE_INDEX, statements, nullptr);
    PortalStart(portal, nullptr, 0, InvalidSnapshot);
    (void)PortalRun(portal, FETCH_ALL, true, true, None_Receiver, None_Receiver, nullptr);
    PortalDrop(portal, false);
    CommitTransactionCommand();
    debug_query_string = nullptr;
}

}  // namespace

void build_index(Oid relation, uint32_t reference, Oid like) {
    BackgroundWorker worker;
    memset(&worker, 0, sizeof worker);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(worker.bgw_library_name, "aegis", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "aegis_index_builder_main", BGW_MAXLEN);
    snprintf(worker.bgw_name, BGW_MAXLEN, "aegis index builder for index %u", like);
    strlcpy(worker.bgw_type, "aegis index builder", BGW_MAXLEN);
    Task task{MyDatabaseId, relation, like, reference};
    static_assert(sizeof task <= BGW_EXTRALEN, "a task travels with its worker");
    memcpy(worker.bgw_extra, &task, sizeof task);
    worker.bgw_notify_pid = MyProcPid;
    BackgroundWorkerHandle *handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle))
        ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("no process is left to build an index beside writers"),
                        errhint("Raise max_worker_processes, or try again later.")));
    PG_TRY();
    {
        if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
            ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("the server has died")));
    }
    PG_CATCH();
    {
        TerminateBackgroundWorker(handle);
        PG_RE_THROW();
    }
    PG_END_TRY();
    pfree(handle);
}

}  // namespace aegis::field::convert

extern "C" AEGIS_EXPORT void aegis_index_builder_main(Datum) {
    using namespace aegis;
    field::convert::Task task;
    memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof task);
    worker::connect(task.database);
    char *statement = field::convert::statement_of(task);
    if (statement != nullptr) field::convert::run_statement(statement);
    proc_exit(0);
}

// SPDX-License-Identifier: Apache-2.0
// Which functions a tenant session may execute. REVOKE does not help where PUBLIC holds the right,
// so the list is kept here and asked when the executor prepares a call.
#include "wall.hpp"

#include "charge.hpp"
#include "guc.hpp"
#include "pg/compat.hpp"
#include "pg/function_memory.hpp"
#include "pg/report.hpp"

namespace aegis::wall {

namespace {

// Refused to members. A star stands for any ending. Names without a schema of the server count in
// every schema: extensions are installed anywhere.
const char *const leaking_builtins[] = {
    // settings that outlive the statement, and the settings' source
    "set_config",
    "pg_reload_conf",
    "setseed",
    "pg_show_all_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    // channels between sessions
    "pg_notify",
    "pg_listening_channels",
    "pg_notification_queue_usage",
    "pg_advisory_*",
    "pg_try_advisory_*",
    "pg_export_snapshot",
    // other sessions
    "pg_cancel_backend",
    "pg_terminate_backend",
    "pg_blocking_pids",
    "pg_safe_snapshot_blocking_pids",
    "pg_isolation_test_session_is_blocked",
    "pg_log_backend_memory_contexts",
    "pg_get_backend_memory_contexts",
    "pg_get_multixact_members",
    "pg_lock_status",
    "pg_prepared_*",
    "pg_cursor",
    "pg_stat_*",
    "pg_get_shmem_allocations",
    // volume of all tenants
    "pg_relation_size",
    "pg_table_size",
    "pg_indexes_size",
    "pg_total_relation_size",
    "pg_database_size",
    "pg_tablespace_size",
    "pg_relation_filenode",
    "pg_relation_filepath",
    "pg_sequence_last_value",
    "pg_current_wal_*",
    "pg_last_wal_*",
    "pg_last_xact_*",
    "pg_get_wal_*",
    "pg_walfile_name*",
    "pg_control_*",
    "pg_last_committed_xact",
    // transactions of all tenants
    "txid_*",
    "pg_current_xact_id*",
    "pg_current_snapshot",
    "pg_xact_status",
    "pg_xact_commit_timestamp*",
    "mxid_age",
    "currtid*",  // answers for rows that row security hides
    // large objects have no row security
    "lo_*",
    "loread",
    "lowrite",
    // files, logs, replication
    "pg_read_file*",
    "pg_read_binary_file*",
    "pg_stat_file*",
    "pg_ls_*",
    "pg_current_logfile",
    "pg_rotate_logfile*",
    "pg_logical_*",
    "pg_replication_*",
    "pg_create_*",
    "pg_drop_replication_slot",
    "pg_get_replication_slots",
    "pg_copy_*",
    "pg_show_replication_*",
    "pg_switch_wal",
    "pg_backup_*",
    "pg_promote",
    // holds a connection of the pool
    "pg_sleep*",
};
const char *const leaking_extensions[] = {
    "dblink*",   "postgres_fdw_*", "pg_stat_statements*", "pg_buffercache*",
    "pgstat*",   "pgrowlocks",     "heap_page_*",         "get_raw_page",
    "lo_manage", "pg_file_*",      "pg_background_*",     "pg_prewarm",
    "set_limit",  // of pg_trgm: a setting that stays
};

// What the gateway's login may call by itself; each verifies its caller or tells nothing.
const char *const gateway_entries[] = {"handle",  "health", "replica_state", "routes",
                                       "sign_in", "status", "tenant_home"};

struct Verdict {
    bool member;
    bool gateway;
};

Verdict judge(Oid function) {
    Verdict verdict = {true, false};
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) return verdict;  // the executor reports it
    Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const char *name = NameStr(form->proname);
    bool builtin = form->pronamespace == PG_CATALOG_NAMESPACE;
    verdict.member =
        function != F_AGE_XID &&  // not by name, for age() of a time is harmless
        !(builtin && matches_any(name, leaking_builtins, lengthof(leaking_builtins))) &&
        !matches_any(name, leaking_extensions, lengthof(leaking_extensions));
    // Immutable built-ins are casts and operators: they know nothing but their arguments.
    if (builtin)
        verdict.gateway =
            form->provolatile == PROVOLATILE_IMMUTABLE && form->prolang == INTERNALlanguageId;
    else
        verdict.gateway = form->pronamespace == get_namespace_oid("aegis", true) &&
                          matches_any(name, gateway_entries, lengthof(gateway_entries));
    ReleaseSysCache(tuple);
    return verdict;
}

pg::FunctionMemory<Verdict> verdicts("aegis function verdicts", judge);

}  // namespace

void check_function(Oid function) {
    if (!guc::function_guard) return;
    Rules rules = rules_in_force();
    if (rules == Rules::none) return;
    Verdict verdict = verdicts.of(function);
    if (rules == Rules::gateway ? verdict.gateway : verdict.member) return;
    charge::note_refusal("function", get_func_name(function));
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
             errmsg("function \"%s\" is not allowed in a tenant session", get_func_name(function)),
             rules == Rules::gateway
                 ? errdetail("The gateway's login may call its entry functions only.")
                 : errdetail("It reaches beyond the tenant or the transaction.")));
}

void define_function() {
    verdicts.define();
}

}  // namespace aegis::wall

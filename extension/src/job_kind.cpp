// SPDX-License-Identifier: Apache-2.0
// What jobs do: one function per kind, called for one step in the step's transaction, under the
// kind's role and the job's context.
#include "job.hpp"
#include "key_index.hpp"
#include "key_rewrap.hpp"
#include "reseal.hpp"
#include "retention.hpp"
#include "role.hpp"
#include "scrub_scan.hpp"
#include "subject.hpp"
#include "tenant_erase.hpp"
#include "verify_progress.hpp"

namespace aegis::job {

namespace {

// Re-computes the hashes of a tenant's log, or of the whole ledger, from what is stored.
Progress verify_ledger(const Job &job) {
    Oid types[] = {UUIDOID};
    Datum values[] = {UUIDPGetDatum(&job.tenant)};
    char nulls[] = {job.has_tenant ? ' ' : 'n', '\0'};
    static const char query[] =
        "SELECT pg_catalog.jsonb_build_object("
        "'findings', pg_catalog.count(*) FILTER (WHERE v.outcome = 'finding'), "
        "'rows', coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(v)), '[]'))::pg_catalog.text, "
        "coalesce(pg_catalog.max(v.items) FILTER (WHERE v.checked = 'entries' AND "
        "v.subject IN ('all tenants', 'one tenant')), 0) "
        "FROM aegis.verify_ledger($1) v";
    verify_progress::set_job(job.id);
    if (SPI_execute_with_args(query, 1, types, values, nulls, false, 1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not verify the ledger")));
    verify_progress::set_job(0);
    HeapTuple row = SPI_tuptable->vals[0];
    bool is_null;
    int64 entries = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &is_null));
    return {true, entries, SPI_getvalue(row, SPI_tuptable->tupdesc, 1), 0};
}

// Removes sessions that ended long ago, some at a time, so that no lock is held for long.
Progress end_sessions(const Job &job) {
    constexpr int32 kAtMost = 1000;
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(kAtMost)};
    if (SPI_execute_with_args("SELECT aegis.expire_sessions($1)", 1, types, values, nullptr, false,
                              1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not expire sessions")));
    bool is_null;
    int32 ended =
        DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    return {ended < kAtMost, job.done + ended, nullptr, 0};
}

const Kind kinds[] = {
    {"cut_ledger", Scope::tenant, role::owner, retention::step, nullptr, "aegis.cut_ledger()"},
    {"end_sessions", Scope::system, role::owner, end_sessions, nullptr, nullptr},
    {"erase_subjects", Scope::tenant, role::owner, subject::erase_step, nullptr, nullptr},
    {"erase_tenant", Scope::tenant, role::owner, tenant_erase::step, nullptr, nullptr},
    {"reseal", Scope::tenant, role::owner, reseal::step, nullptr, nullptr},
    {"rewrap_keys", Scope::system, role::owner, key::rewrap_step, nullptr, nullptr},
    {"rotate_index", Scope::tenant, role::owner, key::rewrite_index_step, key::rewrite_index_failed,
     nullptr},
    {"scan_pan", Scope::either, role::owner, scrub::scan_step, nullptr, nullptr},
    {"verify_ledger", Scope::either, role::auditor, verify_ledger, nullptr, nullptr},
};

}  // namespace

const Kind *find_kind(const char *name) {
    for (const Kind &kind : kinds)
        if (strcmp(kind.name, name) == 0) return &kind;
    return nullptr;
}

const char *kind_names() {
    static char names[256];
    names[0] = '\0';
    for (const Kind &kind : kinds) {
        strlcat(names, names[0] != '\0' ? ", " : "", sizeof names);
        strlcat(names, kind.name, sizeof names);
    }
    return names;
}

}  // namespace aegis::job

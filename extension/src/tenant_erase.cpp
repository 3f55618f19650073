// SPDX-License-Identifier: Apache-2.0
// Each table's rows are deleted as its owner, under the context of the tenant, so that no more is
// reached than row security lets through. The application's triggers and rules stay silent: a rule
// that keeps an invoice must not keep it from erasure.
#include "tenant_erase.hpp"

#include "key_shred.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/table_query.hpp"
#include "role.hpp"
#include "tenant.hpp"

namespace aegis::tenant_erase {

namespace {

constexpr int kRowsPerStep = 5000;
constexpr int kWaitMillis = 500;  // between two looks for transactions that still see the keys

bool under_way = false;

// Everything that Aegis itself keeps of a tenant and that says something of people, in an order
// that foreign keys allow. Left behind: the row of the tenant with its slug, its destroyed keys,
// its jobs, its requests and its log.
const char *const own_tables[] = {"challenge",
                                  "session",
                                  "service_secret",
                                  "service",
                                  "webhook_secret",
                                  "webhook_endpoint",
                                  "issuer_attempt",
                                  "issuer_user",
                                  "issuer_tenant",
                                  "recovery_code",
                                  "second_factor",
                                  "second_factor_reset",
                                  "second_factor_policy",
                                  "link",
                                  "user_token",
                                  "user_origin",
                                  "user",
                                  "team",
                                  "subject_shred",
                                  "subject_key",
                                  "outbox",
                                  "idempotency_key"};

struct Target {
    Oid relation;
    Oid owner;
    bool partitioned;
    const char *name;
};

void expect(int got, int wanted) {
    if (got != wanted)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR),
                 errmsg("could not erase rows of a tenant: %s", SPI_result_code_string(got))));
}

// Protected tables of the database and their children, but for partitions, which their parent
// stands for.
int find_targets(Target **targets) {
    expect(
        SPI_execute("SELECT c.oid, c.relowner, c.relkind OPERATOR(pg_catalog.=) 'p', "
                    "pg_catalog.format('%I.%I', n.nspname, c.relname) "
                    "FROM (SELECT relation FROM aegis.protected_table UNION ALL "
                    "SELECT relation FROM aegis.protected_part) p "
                    "JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.relation "
                    "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
                    "WHERE NOT c.relispartition ORDER BY c.oid",
                    true, 0),
        SPI_OK_SELECT);
    int count = static_cast<int>(SPI_processed);
    *targets = static_cast<Target *>(palloc0(sizeof(Target) * (count + 1)));
    for (int i = 0; i < count; i++) {
        bool is_null;
        Target &target = (*targets)[i];
        target.relation = DatumGetObjectId(pg::column(i, 1, &is_null));
        target.owner = DatumGetObjectId(pg::column(i, 2, &is_null));
        target.partitioned = DatumGetBool(pg::column(i, 3, &is_null));
        target.name = TextDatumGetCString(pg::column(i, 4, &is_null));
    }
    return count;
}

uint64 run(const char *query, const pg_uuid_t &tenant, int wanted) {
    Oid types[] = {UUIDOID};
    Datum values[] = {UUIDPGetDatum(&tenant)};
    expect(SPI_execute_with_args(query, 1, types, values, nullptr, false, 0), wanted);
    return SPI_processed;
}

// At most so many rows; all of them where partitions make a row's place ambiguous.
uint64 delete_some(const Target &target, const pg_uuid_t &tenant, uint64 most) {
    const char *query =
        target.partitioned
            ? psprintf("DELETE FROM %s WHERE tenant_id OPERATOR(pg_catalog.=) $1", target.name)
            : psprintf(
                  "DELETE FROM ONLY %s WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND ctid "
                  "OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT ctid FROM ONLY %s WHERE tenant_id "
                  "OPERATOR(pg_catalog.=) $1 LIMIT " UINT64_FORMAT "))",
                  target.name, target.name, most);
    pg::Identity before;
    GetUserIdAndSecContext(&before.user, &before.security);
    SetUserIdAndSecContext(target.owner, before.security | SECURITY_LOCAL_USERID_CHANGE |
                                             SECURITY_RESTRICTED_OPERATION);
    uint64 gone = run(query, tenant, SPI_OK_DELETE);
    pg::resume(before);
    return gone;
}

// A policy of the owner's own may have hidden rows from the owner; nothing may be left unsaid.
void require_empty(const Target &target, const pg_uuid_t &tenant) {
    pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
    bool left =
        pg::finds_row(psprintf("SELECT FROM %s%s WHERE tenant_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
                               target.partitioned ? "" : "ONLY ", target.name),
                      list_make1_oid(target.relation), tenant);
    pg::resume(before);
    if (left)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("rows of the tenant in table %s are out of its owner's reach", target.name),
                 errhint("Drop the policy that hides them from the owner, and resume the "
                         "job.")));
}

uint64 delete_protected(const pg_uuid_t &tenant) {
    Target *targets;
    int count = find_targets(&targets);
    uint64 gone = 0;
    for (int i = 0; i < count && gone < kRowsPerStep; i++)
        gone += delete_some(targets[i], tenant, kRowsPerStep - gone);
    if (gone == 0)
        for (int i = 0; i < count; i++) require_empty(targets[i], tenant);
    return gone;
}

uint64 delete_own(const pg_uuid_t &tenant) {
    uint64 gone = 0;
    for (const char *table : own_tables)
        gone += run(psprintf("DELETE FROM aegis.%s WHERE tenant_id OPERATOR(pg_catalog.=) $1",
                             quote_identifier(table)),
                    tenant, SPI_OK_DELETE);
    return gone;
}

void require_erasing(const pg_uuid_t &id) {
    tenant::Tenant tenant;
    if (!tenant::find_by_id(id, &tenant) || strcmp(tenant.status, "erasing") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the tenant is not being erased"), errhint("Call aegis.erase_tenant().")));
}

// Jobs of others wait behind this one: for a minute, and then somebody must look.
void require_patience(const pg_uuid_t &tenant) {
    uint64 late =
        run("SELECT FROM aegis.shred s WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND "
            "coalesce(s.reapplied_at, s.shredded_at) OPERATOR(pg_catalog.<) "
            "(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) "
            "'1 min'::pg_catalog.interval)",
            tenant, SPI_OK_SELECT);
    if (late > 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_IN_USE),
                 errmsg("a transaction is open that began before the keys were destroyed, so "
                        "the file of keys would keep them"),
                 errhint("See backend_xmin in pg_stat_activity, pg_prepared_xacts and "
                         "pg_replication_slots; end it and resume the job.")));
}

void conclude(const pg_uuid_t &tenant, int64 rows, int64 own_rows) {
    key::rewrite_key_file(tenant);
    run("UPDATE aegis.tenant SET status = 'erased', name = 'erased' WHERE id "
        "OPERATOR(pg_catalog.=) "
        "$1",
        tenant, SPI_OK_UPDATE);
    const ledger::DetailPair pairs[] = {{"own_rows", nullptr, own_rows}, {"rows", nullptr, rows}};
    uint8_t buffer[64];
    ledger::Event event{"tenant.erased"};
    event.tenant = &tenant;
    event.target_kind = "tenant";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant)));
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
}

}  // namespace

bool is_under_way() {
    return under_way;
}

job::Progress step(const job::Job &job) {
    require_erasing(job.tenant);
    set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
                      GUC_ACTION_LOCAL, true, 0, false);
    volatile uint64 gone = 0;
    under_way = true;
    PG_TRY();
    { gone = delete_protected(job.tenant); }
    PG_FINALLY();
    { under_way = false; }
    PG_END_TRY();
    int64 done = job.done + static_cast<int64>(gone);
    if (gone > 0) return {false, done, nullptr, 0};
    if (key::dead_keys_are_needed(job.tenant)) {
        require_patience(job.tenant);
        return {false, done, nullptr, kWaitMillis};
    }
    int64 own_rows = static_cast<int64>(delete_own(job.tenant));
    conclude(job.tenant, done, own_rows);
    return {
        true, done + own_rows,
        psprintf("{\"rows\": " INT64_FORMAT ", \"own_rows\": " INT64_FORMAT "}", done, own_rows),
        0};
}

}  // namespace aegis::tenant_erase

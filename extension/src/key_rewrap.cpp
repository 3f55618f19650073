// SPDX-License-Identifier: Apache-2.0
#include "core/random.hpp"
#include "key_rewrap.hpp"

#include "key_master.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"

namespace aegis::key {

namespace {

constexpr size_t kSaltBytes = 32;

// The rows of one step. Whoever destroys or adds keys meanwhile waits for it, or it for them.
pg::Statement take_some = {
    "SELECT k.tenant_id, k.kind, k.epoch, k.master_version, k.salt, k.wrapped, k.suite FROM "
    "aegis.tenant_key k WHERE k.master_version OPERATOR(pg_catalog.<>) $1 AND k.wrapped IS NOT "
    "NULL ORDER BY k.tenant_id, k.kind, k.epoch LIMIT 200 FOR UPDATE",
    1,
    {INT8OID},
    nullptr};

pg::Statement store_wrapped = {
    "UPDATE aegis.tenant_key SET master_version = $4, salt = $5, wrapped = $6 WHERE tenant_id "
    "OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2 AND epoch "
    "OPERATOR(pg_catalog.=) $3",
    6,
    {UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, BYTEAOID},
    nullptr};

pg::Statement other_versions = {
    "SELECT k.master_version, pg_catalog.count(*) FROM aegis.tenant_key k WHERE k.master_version "
    "OPERATOR(pg_catalog.<>) $1 AND k.wrapped IS NOT NULL GROUP BY k.master_version ORDER BY 1",
    1,
    {INT8OID},
    nullptr};

pg::Statement find_job = {
    "SELECT j.id FROM aegis.job j WHERE j.kind OPERATOR(pg_catalog.=) 'rewrap_keys' AND j.state "
    "OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running', 'paused']) ORDER BY j.id LIMIT 1 FOR "
    "NO KEY UPDATE",
    0,
    {},
    nullptr};

struct Wrapped {
    uint8_t salt[kSaltBytes];
    uint8_t root[core::kWrappedRootBytes];
};

// The same root under another master key, with a new salt. The root is in memory meanwhile.
pg::Report rewrap(const core::MasterKey &from, const core::MasterKey &to, const pg_uuid_t &tenant,
                  uint32_t epoch, core::ByteView salt, core::ByteView wrapped, core::Suite suite,
                  Wrapped *out) {
    uint8_t root[core::kKeyBytes];
    pg::Report report = pg::run([&] {
        core::unwrap_root(from, salt, tenant_name(tenant), epoch, wrapped, root, suite);
        core::random_secret(out->salt);
        core::wrap_root(to, out->salt, tenant_name(tenant), epoch, root, out->root, suite);
    });
    core::wipe(root);
    return report;
}

void forget(core::MasterKey *master) {
    core::wipe({reinterpret_cast<uint8_t *>(master), sizeof *master});
}

void rewrap_row(HeapTuple row, TupleDesc shape, uint32_t target) {
    bool null;
    Datum id[3];
    for (int i = 0; i < 3; i++) id[i] = SPI_getbinval(row, shape, i + 1, &null);
    pg_uuid_t tenant = *DatumGetUUIDP(id[0]);
    uint32_t epoch = static_cast<uint32_t>(DatumGetInt32(id[2]));
    uint32_t version = static_cast<uint32_t>(DatumGetInt64(SPI_getbinval(row, shape, 4, &null)));
    core::ByteView salt = pg::varlena_view(SPI_getbinval(row, shape, 5, &null));
    core::ByteView wrapped = pg::varlena_view(SPI_getbinval(row, shape, 6, &null));
    core::Suite suite =
        static_cast<core::Suite>(DatumGetInt16(SPI_getbinval(row, shape, 7, &null)));

    // No error may leave a master key behind in memory: require_master wipes what it refuses.
    core::MasterKey from, to;
    require_master(version, &from);
    bool has_target = copy_master(target, &to);
    Wrapped fresh;
    pg::Report report = {};
    if (has_target) report = rewrap(from, to, tenant, epoch, salt, wrapped, suite, &fresh);
    forget(&from);
    forget(&to);
    if (!has_target) require_master(target, &to);  // says what is missing
    if (report.failed)
        ereport(
            ERROR,
            (errcode(AEGIS_ERRCODE_CANNOT_OPEN), errmsg("wrapped root key cannot be opened"),
             errdetail("Tenant %s, %s key of epoch %u, under master key version %u.",
                       DatumGetCString(DirectFunctionCall1(uuid_out, id[0])),
                       TextDatumGetCString(id[1]), epoch, version),
             errhint("Restore its row of aegis.tenant_key from a backup, and resume the job.")));
    Datum values[] = {id[0],
                      id[1],
                      id[2],
                      Int64GetDatum(target),
                      PointerGetDatum(pg::copy_varlena(fresh.salt)),
                      PointerGetDatum(pg::copy_varlena(fresh.root))};
    pg::execute(store_wrapped, values);
}

// Registers the active master key when it is new here; its version.
uint32_t active_version() {
    core::MasterKey master;
    require_active_master(&master);
    uint32_t version = master.version;
    forget(&master);
    return version;
}

}  // namespace

job::Progress rewrap_step(const job::Job &job) {
    uint32_t target = active_version();
    Datum wanted[] = {Int64GetDatum(target)};
    uint64 rows = pg::execute(take_some, wanted);
    SPITupleTable *taken = SPI_tuptable;
    for (uint64 i = 0; i < rows; i++) rewrap_row(taken->vals[i], taken->tupdesc, target);
    if (rows > 0) return {false, job.done + static_cast<int64>(rows), nullptr, 0};

    const ledger::DetailPair pairs[] = {{"roots", nullptr, job.done}, {"version", nullptr, target}};
    uint8_t buffer[64];
    ledger::Event event{"key.roots_rewrapped"};
    event.target_kind = "master_key";
    event.target_id = psprintf("%u", target);
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    return {true, job.done,
            psprintf("{\"version\": %u, \"roots\": " INT64_FORMAT "}", target, job.done), 0};
}

}  // namespace aegis::key

using namespace aegis;

AEGIS_FUNCTION(aegis_rotate_master_key) {
    const char *reason =
        operator_way::required_text(fcinfo, 0, "reason", operator_way::kReasonBytes);
    pg::Identity before = pg::enter();
    uint32_t version = key::active_version();
    Datum wanted[] = {Int64GetDatum(version)};
    uint64 others = pg::execute(key::other_versions, wanted);
    SPITupleTable *found = SPI_tuptable;
    int64 roots = 0;
    for (uint64 i = 0; i < others; i++) {
        bool null;
        core::MasterKey master;  // every version must be there before the work begins
        key::require_master(static_cast<uint32_t>(DatumGetInt64(
                                SPI_getbinval(found->vals[i], found->tupdesc, 1, &null))),
                            &master);
        key::forget(&master);
        roots += DatumGetInt64(SPI_getbinval(found->vals[i], found->tupdesc, 2, &null));
    }
    if (roots == 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("all root keys are wrapped under master key version %u already", version),
                 errhint("Let the key provider deliver a higher version beside it (aegis-keygen "
                         "--next FILE), and reload the configuration.")));
    bool null;
    int64 job = pg::execute(key::find_job, nullptr) > 0 ? DatumGetInt64(pg::column(0, 1, &null))
                                                        : job::create("rewrap_keys", nullptr);
    const ledger::DetailPair pairs[] = {{"job", nullptr, job},
                                        {"reason", reason, 0},
                                        {"roots", nullptr, roots},
                                        {"version", nullptr, version}};
    uint8_t buffer[256];
    ledger::Event event{"key.master_rotated"};
    event.target_kind = "master_key";
    event.target_id = psprintf("%u", version);
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    pg::leave(before);
    PG_RETURN_INT64(job);
}

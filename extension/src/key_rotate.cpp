// SPDX-License-Identifier: Apache-2.0
// aegis.rotate_tenant_key(): a new epoch of a tenant's key, and the job that seals the rows anew.
#include "key_rotate.hpp"

#include "job.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tenant.hpp"

namespace aegis::key {

namespace {

// A job that is not at its end yet turns to the new epoch by itself. One that is being finished
// right now holds its row: this waits, and then makes another.
pg::Statement find_job = {
    "SELECT j.id FROM aegis.job j WHERE j.kind OPERATOR(pg_catalog.=) 'reseal' AND j.tenant_id "
    "OPERATOR(pg_catalog.=) $1 AND j.state OPERATOR(pg_catalog.=) ANY "
    "(ARRAY['queued', 'running', 'paused']) ORDER BY j.id LIMIT 1 FOR NO KEY UPDATE",
    1,
    {UUIDOID},
    nullptr};

}  // namespace

int64 reseal_job(const pg_uuid_t &tenant) {
    pg_uuid_t id = tenant;
    Datum key[] = {UUIDPGetDatum(&id)};
    bool is_null;
    if (pg::execute(find_job, key) > 0) return DatumGetInt64(pg::column(0, 1, &is_null));
    return job::create("reseal", &tenant);
}

}  // namespace aegis::key

using namespace aegis;

AEGIS_FUNCTION(aegis_rotate_tenant_key) {
    pg_uuid_t id = tenant::id_argument(fcinfo);
    const char *reason =
        operator_way::required_text(fcinfo, 1, "reason", operator_way::kReasonBytes);
    tenant::require(id);
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("function returns a row")));

    pg::Identity before = pg::enter();
    tenant::lock(id);  // of two operators the second waits, and rotates once more
    key::NewRoot made;
    if (!PG_ARGISNULL(2) && PG_GETARG_BOOL(2)) made.suite = core::Suite::xaes_256_gcm_committing;
    uint32_t epoch = key::open_epoch(id, key::RootKind::root, made);
    int64 job = key::reseal_job(id);

    const ledger::DetailPair pairs[] = {
        {"epoch", nullptr, epoch}, {"job", nullptr, job}, {"reason", reason, 0}};
    uint8_t buffer[256];
    ledger::Event event{};
    event.type = "key.tenant_rotated";
    event.tenant = &id;
    event.target_kind = "tenant_key";
    event.target_id = psprintf("%u", epoch);
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    pg::leave(before);

    Datum values[] = {Int32GetDatum(static_cast<int32>(epoch)), Int64GetDatum(job)};
    bool nulls[] = {false, false};
    HeapTuple row = heap_form_tuple(BlessTupleDesc(shape), values, nulls);
    PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

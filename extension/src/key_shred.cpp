// SPDX-License-Identifier: Apache-2.0
// An UPDATE leaves the old row in the file until it is vacuumed, and a copy in the write-ahead log
// and in backups: so the file is written anew afterwards, and aegis.shred_status() says since when.
#include "key_shred.hpp"

#include "key.hpp"
#include "key_cache.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "region.hpp"
#include "role.hpp"
#include "team.hpp"

namespace aegis::key {

namespace {

bool shredded_in_transaction = false;

pg::Statement destroy_roots = {
    "UPDATE aegis.tenant_key SET state = 'destroyed', salt = NULL, wrapped = NULL"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND wrapped IS NOT NULL",
    1,
    {UUIDOID},
    nullptr};

pg::Statement note_shred = {
    "INSERT INTO aegis.shred (tenant_id, roots, reason, shredded_at)"
    " VALUES ($1, $2, $3, pg_catalog.now()) ON CONFLICT (tenant_id) DO NOTHING",
    3,
    {UUIDOID, INT4OID, TEXTOID},
    nullptr};

pg::Statement note_clean = {
    "UPDATE aegis.shred SET files_clean_at = pg_catalog.clock_timestamp()"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

// Others see the new rows before this runs, so whoever empties its cache now reads "destroyed".
void transaction_ended(XactEvent event, void *) {
    if (!shredded_in_transaction) return;
    if (event == XACT_EVENT_PRE_PREPARE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot prepare a transaction that destroyed keys"),
                 errdetail("Who commits it would not make the other processes forget them.")));
    if (event == XACT_EVENT_COMMIT) {
        region::unprotect_key_page();
        region::key_page()->generation.fetch_add(1, std::memory_order_acq_rel);
        region::protect_key_page();
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) shredded_in_transaction = false;
}

}  // namespace

int shred_tenant(const pg_uuid_t &tenant, const char *reason) {
    // Whoever still writes rows of the tenant ends first, so that none comes after their deletion.
    team::take_numbers(tenant);
    shredded_in_transaction = true;
    Datum values[] = {UUIDPGetDatum(&tenant), 0, CStringGetTextDatum(reason)};
    int roots = static_cast<int>(pg::execute(destroy_roots, values));
    values[1] = Int32GetDatum(roots);
    pg::execute(note_shred, values);
    key_cache::forget();

    const ledger::DetailPair pairs[] = {{"reason", reason, 0}, {"roots", nullptr, roots}};
    uint8_t buffer[256];
    ledger::Event event{"key.tenant_destroyed"};
    event.tenant = &tenant;
    event.target_kind = "tenant_key";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant)));
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    return roots;
}

bool dead_keys_are_needed(const pg_uuid_t &tenant) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    own_table::Scan scan = own_table::begin("tenant_key", &key);
    TransactionId oldest = GetOldestNonRemovableTransactionId(scan.relation);
    bool needed = false;
    while (HeapTuple tuple = own_table::next(scan)) {
        TransactionId writer = HeapTupleHeaderGetXmin(tuple->t_data);
        needed |= TransactionIdIsNormal(writer) && !TransactionIdPrecedes(writer, oldest);
    }
    own_table::end(scan);
    return needed;
}

void rewrite_key_file(const pg_uuid_t &tenant) {
    // CLUSTER, and not VACUUM FULL, because it may stand in a transaction.
    ledger_tables::own_change([&] {
        if (SPI_execute("CLUSTER aegis.tenant_key USING tenant_key_pkey", false, 0) < 0)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("could not rewrite the table of keys")));
    });
    Datum values[] = {UUIDPGetDatum(&tenant)};
    pg::execute(note_clean, values);
}

void define_shred() {
    RegisterXactCallback(transaction_ended, nullptr);
}

}  // namespace aegis::key

AEGIS_FUNCTION(aegis_shred_tenant) {
    using namespace aegis;
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner destroys the keys of a tenant")));
    pg_uuid_t tenant = *PG_GETARG_UUID_P(0);
    const char *reason = text_to_cstring(PG_GETARG_TEXT_PP(1));
    pg::Identity before = pg::enter();
    int roots = key::shred_tenant(tenant, reason);
    pg::leave(before);
    PG_RETURN_INT32(roots);
}

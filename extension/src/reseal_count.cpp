// SPDX-License-Identifier: Apache-2.0
#include "reseal_count.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"

namespace aegis::reseal::count {

namespace {

pg::Statement clear_counts = {
    "UPDATE aegis.reseal_count SET rows = 0, counted_at = pg_catalog.clock_timestamp() WHERE "
    "tenant_id OPERATOR(pg_catalog.=) $1 AND relation OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, OIDOID},
    nullptr};

pg::Statement store_count = {
    "INSERT INTO aegis.reseal_count AS c (tenant_id, relation, epoch, rows) VALUES ($1, $2, $3, "
    "$4) ON CONFLICT (tenant_id, relation, epoch) DO UPDATE SET rows = EXCLUDED.rows",
    4,
    {UUIDOID, OIDOID, INT4OID, INT8OID},
    nullptr};

pg::Statement drop_empty = {
    "DELETE FROM aegis.reseal_count WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND relation "
    "OPERATOR(pg_catalog.=) $2 AND rows OPERATOR(pg_catalog.=) 0 AND resealed "
    "OPERATOR(pg_catalog.=) 0",
    2,
    {UUIDOID, OIDOID},
    nullptr};

pg::Statement take_away = {
    "UPDATE aegis.reseal_count SET rows = greatest(rows OPERATOR(pg_catalog.-) $4, 0) WHERE "
    "tenant_id OPERATOR(pg_catalog.=) $1 AND relation OPERATOR(pg_catalog.=) $2 AND epoch "
    "OPERATOR(pg_catalog.=) $3",
    4,
    {UUIDOID, OIDOID, INT4OID, INT8OID},
    nullptr};

pg::Statement put = {
    "INSERT INTO aegis.reseal_count AS c (tenant_id, relation, epoch, rows, resealed) VALUES ($1, "
    "$2, $3, $4, $4) ON CONFLICT (tenant_id, relation, epoch) DO UPDATE SET rows = c.rows "
    "OPERATOR(pg_catalog.+) $4, resealed = c.resealed OPERATOR(pg_catalog.+) $4",
    4,
    {UUIDOID, OIDOID, INT4OID, INT8OID},
    nullptr};

pg::Statement take_report = {
    "WITH done AS (SELECT c.relation, c.epoch, c.resealed FROM aegis.reseal_count c WHERE "
    "c.tenant_id OPERATOR(pg_catalog.=) $1 AND c.resealed OPERATOR(pg_catalog.>) 0), "
    "forgotten AS (UPDATE aegis.reseal_count c SET resealed = 0 FROM done d WHERE c.tenant_id "
    "OPERATOR(pg_catalog.=) $1 AND c.relation OPERATOR(pg_catalog.=) d.relation AND c.epoch "
    "OPERATOR(pg_catalog.=) d.epoch) SELECT relation::pg_catalog.text, epoch, resealed FROM done "
    "ORDER BY 1, 2",
    1,
    {UUIDOID},
    nullptr};

pg::Statement retire_epochs = {
    "UPDATE aegis.tenant_key SET state = 'retired' WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND "
    "kind OPERATOR(pg_catalog.=) 'root' AND epoch OPERATOR(pg_catalog.<) $2 AND state "
    "OPERATOR(pg_catalog.=) 'active' RETURNING epoch",
    2,
    {UUIDOID, INT4OID},
    nullptr};

void record(const char *type, const pg_uuid_t &tenant, const char *kind, const char *target,
            const ledger::DetailPair *pairs, int count) {
    uint8_t buffer[128];
    ledger::Event event{};
    event.type = type;
    event.tenant = &tenant;
    event.target_kind = kind;
    event.target_id = target;
    event.detail = ledger::encode_detail(pairs, count, core::ByteSpan(buffer));
    ledger::append(event);
}

}  // namespace

void begin(Epochs *epochs) {
    *epochs = {};
    epochs->room = 8;
    epochs->epochs = static_cast<uint32 *>(palloc(sizeof(uint32) * epochs->room));
    epochs->rows = static_cast<int64 *>(palloc(sizeof(int64) * epochs->room));
}

void add(Epochs *epochs, uint32 epoch) {
    if (epochs->last < epochs->count && epochs->epochs[epochs->last] == epoch) {
        epochs->rows[epochs->last]++;
        return;
    }
    int at = 0;
    while (at < epochs->count && epochs->epochs[at] != epoch) at++;
    if (at == epochs->room) {
        epochs->room *= 2;
        epochs->epochs =
            static_cast<uint32 *>(repalloc(epochs->epochs, sizeof(uint32) * epochs->room));
        epochs->rows = static_cast<int64 *>(repalloc(epochs->rows, sizeof(int64) * epochs->room));
    }
    if (at == epochs->count) {
        epochs->epochs[at] = epoch;
        epochs->rows[at] = 0;
        epochs->count++;
    }
    epochs->last = at;
    epochs->rows[at]++;
}

void store(const Epochs &epochs, const pg_uuid_t &tenant, Oid relation) {
    pg_uuid_t id = tenant;
    Datum of_table[] = {UUIDPGetDatum(&id), ObjectIdGetDatum(relation)};
    pg::execute(clear_counts, of_table);
    for (int i = 0; i < epochs.count; i++) {
        Datum values[] = {UUIDPGetDatum(&id), ObjectIdGetDatum(relation),
                          Int32GetDatum(static_cast<int32>(epochs.epochs[i])),
                          Int64GetDatum(epochs.rows[i])};
        pg::execute(store_count, values);
    }
    pg::execute(drop_empty, of_table);
}

void move(const pg_uuid_t &tenant, Oid relation, uint32 from, uint32 to, int64 rows) {
    pg_uuid_t id = tenant;
    Datum values[] = {UUIDPGetDatum(&id), ObjectIdGetDatum(relation),
                      Int32GetDatum(static_cast<int32>(from)), Int64GetDatum(rows)};
    pg::execute(take_away, values);
    values[2] = Int32GetDatum(static_cast<int32>(to));
    pg::execute(put, values);
}

int64 report(const pg_uuid_t &tenant) {
    pg_uuid_t id = tenant;
    Datum key[] = {UUIDPGetDatum(&id)};
    uint64 count = pg::execute(take_report, key);
    int64 total = 0;
    SPITupleTable *tables = SPI_tuptable;
    for (uint64 i = 0; i < count; i++) {
        bool is_null;
        char *table = SPI_getvalue(tables->vals[i], tables->tupdesc, 1);
        Datum epoch = SPI_getbinval(tables->vals[i], tables->tupdesc, 2, &is_null);
        Datum rows = SPI_getbinval(tables->vals[i], tables->tupdesc, 3, &is_null);
        ledger::DetailPair pairs[] = {{"epoch", nullptr, DatumGetInt32(epoch)},
                                      {"rows", nullptr, DatumGetInt64(rows)}};
        record("field.resealed", tenant, "table", table, pairs, lengthof(pairs));
        total += DatumGetInt64(rows);
    }
    return total;
}

void retire(const pg_uuid_t &tenant, uint32 epoch) {
    pg_uuid_t id = tenant;
    Datum values[] = {UUIDPGetDatum(&id), Int32GetDatum(static_cast<int32>(epoch))};
    uint64 count = pg::execute(retire_epochs, values);
    SPITupleTable *retired = SPI_tuptable;
    for (uint64 i = 0; i < count; i++)
        record("key.epoch_retired", tenant, "tenant_key",
               SPI_getvalue(retired->vals[i], retired->tupdesc, 1), nullptr, 0);
}

}  // namespace aegis::reseal::count

// SPDX-License-Identifier: Apache-2.0
#include "ledger_entry.hpp"

#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::ledger_entry {

namespace {

int32 cached_epoch = 0;  // 0: look it up
Oid epoch_relation = InvalidOid;

void forget_epoch(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == epoch_relation) cached_epoch = 0;
}

// The newest row of aegis.ledger_epoch; 1 before the first seal has written one. In a restored
// ledger, whose newest epoch belongs to another cluster, entries already belong to the next: their
// transaction numbers would mean something else in the old one.
int32 read_epoch(Oid relation) {
    Relation table = table_open(relation, AccessShareLock);
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
    int32 newest = 0;
    bool is_here = true;
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool is_null;
        int32 epoch = DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(table), &is_null));
        int64 cluster = DatumGetInt64(heap_getattr(tuple, 2, RelationGetDescr(table), &is_null));
        if (epoch < newest) continue;
        newest = epoch;
        is_here = cluster == static_cast<int64>(GetSystemIdentifier());
    }
    systable_endscan(scan);
    table_close(table, NoLock);
    return newest == 0 ? 1 : newest + (is_here ? 0 : 1);
}

Oid partition_of(Relation parent, int64 seq) {
    PartitionDesc description = RelationGetPartitionDesc(parent, false);
    PartitionKey key = RelationGetPartitionKey(parent);
    PartitionBoundInfo bounds = description->boundinfo;
    Datum value = Int64GetDatum(seq);
    bool is_equal;
    int offset = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1,
                                               &value, &is_equal);
    int index = bounds->indexes[offset + 1];
    if (index < 0) index = bounds->default_index;
    if (index < 0)
        ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
                        errmsg("no partition of aegis.entry takes seq " INT64_FORMAT, seq)));
    return description->oids[index];
}

Datum bytea_of(core::ByteView bytes) {
    return PointerGetDatum(pg::copy_varlena(bytes));
}

// A reveal in a read-only transaction is recorded like any other.
int64 next_seq(Oid sequence) {
    if (!XactReadOnly) return nextval_internal(sequence, false);
    volatile int64 seq = 0;
    XactReadOnly = false;
    PG_TRY();
    { seq = nextval_internal(sequence, false); }
    PG_FINALLY();
    { XactReadOnly = true; }
    PG_END_TRY();
    return seq;
}

}  // namespace

int32 open_epoch() {
    const ledger_tables::Oids &oids = ledger_tables::require();
    // The lock is kept until the transaction ends: a new epoch waits for everyone who writes in the
    // old one, and whoever comes after it reads the new number.
    LockRelationOid(oids.entry, RowExclusiveLock);
    if (cached_epoch == 0) {
        epoch_relation = oids.epoch;
        int32 epoch = read_epoch(oids.epoch);
        cached_epoch = epoch;
    }
    return cached_epoch;
}

int64 insert(const Row &row) {
    const ledger_tables::Oids &oids = ledger_tables::require();
    Relation parent = table_open(oids.entry, RowExclusiveLock);
    // Drawn here, after the row change that is described, and never cached: a later writer of the
    // same row has a larger number.
    int64 seq = next_seq(oids.entry_seq);
    Relation leaf_table = table_open(partition_of(parent, seq), RowExclusiveLock);

    Datum values[kColumns];
    bool nulls[kColumns] = {};
    values[kSeq] = Int64GetDatum(seq);
    values[kXid] = UInt64GetDatum(row.xid);
    values[kEpoch] = Int32GetDatum(row.epoch);
    values[kOrdinal] = Int32GetDatum(row.ordinal);
    values[kTenant] = UUIDPGetDatum(row.tenant);
    nulls[kTenant] = row.tenant == nullptr;
    values[kLeaf] = bytea_of(row.leaf);
    values[kBody] = bytea_of(row.body);

    HeapTuple tuple = heap_form_tuple(RelationGetDescr(leaf_table), values, nulls);
    CatalogTupleInsert(leaf_table, tuple);
    heap_freetuple(tuple);
    pfree(DatumGetPointer(values[kLeaf]));
    pfree(DatumGetPointer(values[kBody]));
    table_close(leaf_table, NoLock);
    table_close(parent, NoLock);
    return seq;
}

namespace {

int64 single_int64(const char *query) {
    if (SPI_execute(query, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not read the state of the ledger")));
    bool is_null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    return is_null ? -1 : DatumGetInt64(value);
}

void make_partition(int64 number) {
    char *statements =
        psprintf("CREATE TABLE aegis.entry_p" INT64_FORMAT
                 " (LIKE aegis.entry INCLUDING STORAGE);"
                 "CREATE INDEX entry_p" INT64_FORMAT "_xid ON aegis.entry_p" INT64_FORMAT
                 " (epoch, xid);"
                 "ALTER TABLE aegis.entry ATTACH PARTITION aegis.entry_p" INT64_FORMAT
                 " FOR VALUES FROM (" INT64_FORMAT ") TO (" INT64_FORMAT
                 ");"
                 "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.entry_p" INT64_FORMAT
                 " FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();"
                 "ALTER TABLE aegis.entry_p" INT64_FORMAT
                 " ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate",
                 number, number, number, number, number * kPartitionEntries,
                 (number + 1) * kPartitionEntries, number, number);
    if (SPI_execute(statements, false, 0) < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not make a partition of aegis.entry")));
    CommandCounterIncrement();
}

}  // namespace

void make_ahead() {
    ledger_tables::require();
    ledger_tables::own_change([&] {
        if (SPI_connect() != SPI_OK_CONNECT)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
        int64 current = single_int64("SELECT last_value FROM aegis.entry_seq") / kPartitionEntries;
        int64 newest = single_int64(
            "SELECT pg_catalog.max(pg_catalog.substr(c.relname::text, 8)::bigint) FROM "
            "pg_catalog.pg_inherits i"
            " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'aegis.entry'::pg_catalog.regclass AND c.relname::text ~ "
            "'^entry_p[0-9]+$'");
        if (newest < current + 2) {
            // Entries that fell into the default partition stay there; the next partition begins
            // after the range that they belong to.
            if (newest < current) newest = current;
            SPI_execute("SET LOCAL lock_timeout = '500ms'", false, 0);
            while (newest < current + 2) make_partition(++newest);
        }
        SPI_finish();
    });
}

void define() {
    pg::on_relation_change(forget_epoch);
}

}  // namespace aegis::ledger_entry

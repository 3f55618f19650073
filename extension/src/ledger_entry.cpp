// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"

#include "ledger_entry.hpp"

#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::ledger_entry {

namespace {

constexpr size_t kSmallBody = 2048;

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

// The partition that takes the next entries, and how to put them into its index. Opening both anew
// for each entry, as the executor does for each statement, would cost more than the two inserts.
struct Target {
    bool valid;
    Oid parent, table;
    Oid index;         // none: rows go the general way
    int64 first, end;  // the seqs that the partition takes; the default partition is looked up anew
    IndexInfo *how;
    MemoryContext memory;
} target;

void forget_target(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == target.parent || relation == target.table ||
        relation == target.index)
        target.valid = false;
}

struct Range {
    int64 first, end;
};

Range find_partition(Relation parent, int64 seq) {
    PartitionDesc description = RelationGetPartitionDesc(parent, false);
    PartitionKey key = RelationGetPartitionKey(parent);
    PartitionBoundInfo bounds = description->boundinfo;
    Datum value = Int64GetDatum(seq);
    bool is_equal;
    int offset = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1,
                                               &value, &is_equal);
    int index = bounds->indexes[offset + 1];
    Range range = {};
    if (index >= 0 && offset >= 0 && bounds->kind[offset][0] == PARTITION_RANGE_DATUM_VALUE &&
        bounds->kind[offset + 1][0] == PARTITION_RANGE_DATUM_VALUE)
        range = {DatumGetInt64(bounds->datums[offset][0]),
                 DatumGetInt64(bounds->datums[offset + 1][0])};
    if (index < 0) index = bounds->default_index;
    if (index < 0)
        ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
                        errmsg("no partition of aegis.entry takes seq " INT64_FORMAT, seq)));
    target.table = description->oids[index];
    return range;
}

// True for the index of the install script: (epoch, xid), and nothing to compute or to check.
bool is_plain(Relation index, const IndexInfo *info) {
    return index->rd_rel->relam == BTREE_AM_OID && info->ii_NumIndexAttrs == 2 &&
           info->ii_IndexAttrNumbers[0] == kEpoch + 1 && info->ii_IndexAttrNumbers[1] == kXid + 1 &&
           info->ii_Predicate == NIL && !info->ii_Unique && info->ii_ExclusionOps == nullptr &&
           info->ii_ReadyForInserts;
}

void find_index(Relation table) {
    target.index = InvalidOid;
    List *indexes = RelationGetIndexList(table);
    if (list_length(indexes) == 1) {
        Relation index = index_open(linitial_oid(indexes), AccessShareLock);
        if (target.memory == nullptr)
            target.memory = AllocSetContextCreate(TopMemoryContext, "aegis partition of entries",
                                                  ALLOCSET_SMALL_SIZES);
        MemoryContextReset(target.memory);
        MemoryContext caller = MemoryContextSwitchTo(target.memory);
        target.how = BuildIndexInfo(index);
        MemoryContextSwitchTo(caller);
        if (is_plain(index, target.how)) target.index = RelationGetRelid(index);
        index_close(index, AccessShareLock);
    }
    list_free(indexes);
}

// Locks and opens the partition that takes a seq. The lock is kept: while it is held nobody drops
// the index or makes it anew, not even concurrently, so that it needs no lock of its own.
Relation open_partition(Oid entry, int64 seq) {
    for (;;) {
        if (target.valid && seq >= target.first && seq < target.end) {
            LockRelationOid(target.table, RowExclusiveLock);  // may bring an invalidation
            if (target.valid) return table_open(target.table, NoLock);
        }
        target.parent = entry;
        target.first = target.end = 0;  // of no use yet, should what follows fail
        target.valid = true;            // cleared again by an invalidation that arrives meanwhile
        Relation parent = table_open(entry, RowExclusiveLock);
        Range range = find_partition(parent, seq);
        table_close(parent, NoLock);
        Relation table = table_open(target.table, RowExclusiveLock);
        find_index(table);
        target.first = range.first;
        target.end = range.end;
        if (target.valid) return table;
        table_close(table, NoLock);
    }
}

// Bytes with a header, in a place on the stack when they fit.
template <size_t kBytes>
struct Bytea {
    alignas(int32) char place[VARHDRSZ + kBytes];
    Datum copy(core::ByteView bytes) {
        if (bytes.size > kBytes) return PointerGetDatum(pg::copy_varlena(bytes));
        SET_VARSIZE(place, VARHDRSZ + bytes.size);
        memcpy(VARDATA(place), bytes.data, bytes.size);
        return PointerGetDatum(place);
    }
};

void index_row(Relation table, ItemPointer at, Datum *values) {
    Relation index = index_open(target.index, NoLock);
    Datum keys[] = {values[kEpoch], values[kXid]};
    bool nulls[] = {false, false};
    index_insert(index, keys, nulls, at, table, UNIQUE_CHECK_NO, false, target.how);
    index_close(index, NoLock);
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
    // Drawn here, after the row change that is described, and never cached: a later writer of the
    // same row has a larger number.
    int64 seq = next_seq(oids.entry_seq);
    Relation table = open_partition(oids.entry, seq);

    Bytea<core::kDigestBytes> leaf;
    Bytea<kSmallBody> body;
    Datum values[kColumns];
    bool nulls[kColumns] = {};
    values[kSeq] = Int64GetDatum(seq);
    values[kXid] = UInt64GetDatum(row.xid);
    values[kEpoch] = Int32GetDatum(row.epoch);
    values[kOrdinal] = Int32GetDatum(row.ordinal);
    values[kTenant] = UUIDPGetDatum(row.tenant);
    nulls[kTenant] = row.tenant == nullptr;
    values[kLeaf] = leaf.copy(row.leaf);
    values[kBody] = body.copy(row.body);

    HeapTuple tuple = heap_form_tuple(RelationGetDescr(table), values, nulls);
    if (row.body.size > kSmallBody) pfree(DatumGetPointer(values[kBody]));
    if (OidIsValid(target.index)) {
        simple_heap_insert(table, tuple);
        index_row(table, &tuple->t_self, values);
    } else {
        CatalogTupleInsert(table, tuple);
    }
    heap_freetuple(tuple);
    table_close(table, NoLock);
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
    pg::on_relation_change(forget_target);
}

}  // namespace aegis::ledger_entry

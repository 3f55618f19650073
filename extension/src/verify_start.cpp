// SPDX-License-Identifier: Apache-2.0
#include "verify_start.hpp"

#include "ledger_entry.hpp"
#include "pg/function.hpp"

namespace aegis::verify_start {

namespace {

// The index of the install script on (epoch, xid), or nullptr.
Relation open_index(Relation partition) {
    Relation found = nullptr;
    List *indexes = RelationGetIndexList(partition);
    ListCell *cell;
    foreach (cell, indexes) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        const Form_pg_index form = index->rd_index;
        if (index->rd_rel->relam == BTREE_AM_OID && form->indnatts == 2 &&
            form->indkey.values[0] == ledger_entry::kEpoch + 1 &&
            form->indkey.values[1] == ledger_entry::kXid + 1 && form->indisvalid &&
            heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, nullptr)) {
            found = index;
            break;
        }
        index_close(index, AccessShareLock);
    }
    list_free(indexes);
    return found;
}

// The lowest block that the index names for these keys: it alone is read, not the table.
BlockNumber lowest_block(Relation partition, Relation index, ScanKey keys, int count) {
    BlockNumber lowest = InvalidBlockNumber;
    IndexScanDesc scan = index_beginscan(partition, index, GetActiveSnapshot(), count, 0);
    index_rescan(scan, keys, count, nullptr, 0);
    ItemPointer at;
    while ((at = index_getnext_tid(scan, ForwardScanDirection)) != nullptr) {
        lowest = Min(lowest, ItemPointerGetBlockNumber(at));
        CHECK_FOR_INTERRUPTS();
    }
    index_endscan(scan);
    return lowest;
}

}  // namespace

Start find(uint64 root_size) {
    Start start = {};
    Oid types[1] = {INT8OID};
    Datum values[1] = {Int64GetDatum(static_cast<int64>(root_size))};
    if (SPI_execute_with_args(
            "SELECT number, epoch, snapshot, pg_catalog.pg_snapshot_xmax(snapshot), "
            "ARRAY(SELECT pg_catalog.pg_snapshot_xip(snapshot)) FROM aegis.seal"
            " WHERE root_size = $1 AND snapshot IS NOT NULL ORDER BY number LIMIT 1",
            1, types, values, nullptr, true, 1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the seals")));
    if (SPI_processed == 0) return start;
    HeapTuple row = SPI_tuptable->vals[0];
    TupleDesc shape = SPI_tuptable->tupdesc;
    bool is_null;
    start.seal = DatumGetInt64(SPI_getbinval(row, shape, 1, &is_null));
    start.epoch = DatumGetInt32(SPI_getbinval(row, shape, 2, &is_null));
    start.snapshot = SPI_getbinval(row, shape, 3, &is_null);
    start.xmax = DatumGetUInt64(SPI_getbinval(row, shape, 4, &is_null));
    ArrayType *open = DatumGetArrayTypeP(SPI_getbinval(row, shape, 5, &is_null));
    start.open_count = ArrayGetNItems(ARR_NDIM(open), ARR_DIMS(open));
    start.open = reinterpret_cast<const uint64 *>(ARR_DATA_PTR(open));
    return start;
}

bool is_after(const Start &start, int32 epoch, uint64 xid) {
    if (epoch != start.epoch) return epoch > start.epoch;
    if (xid >= start.xmax) return true;
    return start.open_count > 0 &&
           !DatumGetBool(
               DirectFunctionCall2(pg_visible_in_snapshot, UInt64GetDatum(xid), start.snapshot));
}

BlockNumber first_block(const Start &start, Relation partition) {
    Relation index = open_index(partition);
    if (index == nullptr) return 0;
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], 1, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(start.epoch));
    BlockNumber lowest = lowest_block(partition, index, keys, 1);
    ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(start.epoch));
    ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_XID8GE, UInt64GetDatum(start.xmax));
    lowest = Min(lowest, lowest_block(partition, index, keys, 2));
    for (int i = 0; i < start.open_count; i++) {
        ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_XID8EQ, UInt64GetDatum(start.open[i]));
        lowest = Min(lowest, lowest_block(partition, index, keys, 2));
    }
    index_close(index, AccessShareLock);
    return lowest;
}

}  // namespace aegis::verify_start

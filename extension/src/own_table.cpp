// SPDX-License-Identifier: Apache-2.0
#include "own_table.hpp"

#include "pg/compat.hpp"
#include "pg/invalidation.hpp"

namespace aegis::own_table {

namespace {

// Every request reads some of these tables: their names are looked up once.
struct Known {
    const char *name;
    Oid relation;
};
constexpr int kMostKnown = 32;
Known known[kMostKnown];
int known_count = 0;
uint64 changes = 0;

void forget() {
    changes++;
    known_count = 0;
}

void forget_relation(Datum, Oid relation) {
    bool is_known = !OidIsValid(relation);
    for (int i = 0; i < known_count && !is_known; i++) is_known = known[i].relation == relation;
    if (is_known) forget();
}

void forget_schema(Datum, int, uint32) {
    forget();
}

void expect_changes() {
    static bool registered = false;
    if (registered) return;
    pg::on_relation_change(forget_relation);
    pg::on_catalog_change(NAMESPACEOID, forget_schema);
    registered = true;
}

}  // namespace

Oid find(const char *name) {
    for (int i = 0; i < known_count; i++)
        if (strcmp(known[i].name, name) == 0) return known[i].relation;
    expect_changes();
    uint64 before = changes;
    Oid schema = get_namespace_oid("aegis", true);
    Oid relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (OidIsValid(relation) && before == changes && known_count < kMostKnown)
        known[known_count++] = {name, relation};
    return relation;
}

Snapshot latest() {
    // A statement may use what an earlier command of its transaction wrote, which its own snapshot
    // does not show. In parallel mode no newer snapshot may be taken, and none is needed: nothing
    // was written since the statement began.
    return RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
}

namespace {

Scan open(const char *name, Snapshot snapshot) {
    Oid relid = find(name);
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("extension aegis is not installed in this database"),
                        errhint("Run CREATE EXTENSION aegis.")));
    Scan scan{};
    scan.relation = table_open(relid, AccessShareLock);
    scan.owns_snapshot = snapshot == nullptr;
    scan.snapshot = scan.owns_snapshot ? latest() : snapshot;
    return scan;
}

void start(Scan &scan, ScanKey keys, int count, const char *index_name) {
    Oid index = InvalidOid;
    if (index_name != nullptr) {
        index = find(index_name);
    } else if (keys != nullptr) {
        list_free(RelationGetIndexList(scan.relation));
        index = scan.relation->rd_pkindex;
    }
    scan.scan = systable_beginscan(scan.relation, index, OidIsValid(index), scan.snapshot,
                                   keys != nullptr ? count : 0, keys);
}

// Where rows lay when this process read them last. Nothing here is believed: of the rows that a
// snapshot shows only one has the keys, so whichever row is shown at the place and has them is the
// one that the index would have led to; anything else is looked up. So no change of the table need
// be told to this cache.
struct Place {
    uint64 hash;  // of table and keys; 0 unused
    uint8 hits;   // since the row was looked up
    Buffer buffer;
    ItemPointerData root;  // of its chain, as an index has it
};
constexpr uint64 kPlaces = 4096;
// ReadRecentBuffer() does not tell the buffer manager that a page is in use, nor does anybody prune
// the page here: without a look-up in between the pages read most would be the first to be evicted.
constexpr uint8 kMostHits = 31;
Place places[kPlaces];

Place &place_of(const Scan &scan) {
    return places[scan.hash % kPlaces];
}

// 0 for keys that are not hashed here: such rows are always looked up.
uint64 hash_of(const Scan &scan) {
    if (scan.relation->rd_tableam != GetHeapamTableAmRoutine() || !IsMVCCSnapshot(scan.snapshot))
        return 0;
    uint64 hash = RelationGetRelid(scan.relation);
    for (int i = 0; i < scan.count; i++) {
        const ScanKeyData &key = scan.keys[i];
        const uint8 *bytes;
        int size;
        if (key.sk_func.fn_oid == F_UUID_EQ) {
            bytes = DatumGetUUIDP(key.sk_argument)->data;
            size = UUID_LEN;
        } else if (key.sk_func.fn_oid == F_BYTEAEQ) {
            const bytea *value = DatumGetByteaPP(key.sk_argument);
            bytes = reinterpret_cast<const uint8 *>(VARDATA_ANY(value));
            size = static_cast<int>(VARSIZE_ANY_EXHDR(value));
        } else {
            return 0;
        }
        hash = hash_bytes_extended(bytes, size, hash);
    }
    return hash;
}

// Never after start(), which numbers the keys' columns as the index does.
bool has_keys(Scan &scan) {
    for (int i = 0; i < scan.count; i++) {
        ScanKeyData &key = scan.keys[i];
        bool is_null;
        Datum value = column(scan, &scan.row, key.sk_attno, &is_null);
        if (is_null || !DatumGetBool(FunctionCall2Coll(&key.sk_func, key.sk_collation, value,
                                                       key.sk_argument)))
            return false;
    }
    return true;
}

bool is_in_place(Scan &scan) {
    Place &place = place_of(scan);
    if (scan.hash == 0 || place.hash != scan.hash || place.hits == kMostHits) return false;
    place.hits++;
    ItemPointerData at = place.root;
    // The table may have been cut off before it: reading the block itself would then be an error.
    if (!ReadRecentBuffer(pg::file_of(scan.relation), MAIN_FORKNUM, ItemPointerGetBlockNumber(&at),
                          place.buffer))
        return false;
    scan.buffer = place.buffer;
    LockBuffer(scan.buffer, BUFFER_LOCK_SHARE);
    bool shown = heap_hot_search_buffer(&at, scan.relation, scan.buffer, scan.snapshot, &scan.row,
                                        nullptr, true);
    LockBuffer(scan.buffer, BUFFER_LOCK_UNLOCK);
    if (shown && has_keys(scan)) return true;
    ReleaseBuffer(scan.buffer);
    scan.buffer = InvalidBuffer;
    return false;
}

void keep_place(const Scan &scan, HeapTuple row) {
    if (scan.hash == 0) return;
    Place place = {scan.hash, 0,
                   reinterpret_cast<BufferHeapTupleTableSlot *>(scan.scan->slot)->buffer,
                   row->t_self};
    if (HeapTupleIsHeapOnly(row)) {
        OffsetNumber roots[MaxHeapTuplesPerPage];
        LockBuffer(place.buffer, BUFFER_LOCK_SHARE);
        heap_get_root_tuples(BufferGetPage(place.buffer), roots);
        LockBuffer(place.buffer, BUFFER_LOCK_UNLOCK);
        OffsetNumber root = roots[ItemPointerGetOffsetNumber(&row->t_self) - 1];
        if (!OffsetNumberIsValid(root)) return;
        ItemPointerSetOffsetNumber(&place.root, root);
    }
    place_of(scan) = place;
}

HeapTuple next_one(Scan &scan) {
    if (scan.over) return nullptr;
    scan.over = true;
    if (is_in_place(scan)) return &scan.row;
    // A table of exceptions often has no row at all: then no index need be opened.
    if (RelationGetNumberOfBlocks(scan.relation) == 0) {
        PredicateLockRelation(scan.relation, scan.snapshot);
        return nullptr;
    }
    start(scan, scan.keys, scan.count, scan.index);
    HeapTuple row = systable_getnext(scan.scan);
    if (row != nullptr) keep_place(scan, row);
    return row;
}

}  // namespace

Scan begin(const char *name, ScanKey keys, int count, const char *index, Snapshot snapshot) {
    Scan scan = open(name, snapshot);
    start(scan, keys, count, index);
    return scan;
}

Scan begin_one(const char *name, ScanKey keys, int count, const char *index, Snapshot snapshot) {
    Scan scan = open(name, snapshot);
    scan.index = index;
    scan.keys = keys;
    scan.count = count;
    scan.hash = hash_of(scan);
    return scan;
}

HeapTuple next(Scan &scan) {
    return scan.keys != nullptr ? next_one(scan) : systable_getnext(scan.scan);
}

void end(Scan &scan) {
    if (scan.scan != nullptr) systable_endscan(scan.scan);
    if (BufferIsValid(scan.buffer)) ReleaseBuffer(scan.buffer);
    if (scan.owns_snapshot) UnregisterSnapshot(scan.snapshot);
    table_close(scan.relation, AccessShareLock);
}

Datum column(const Scan &scan, HeapTuple tuple, int number, bool *is_null) {
    return heap_getattr(tuple, number, RelationGetDescr(scan.relation), is_null);
}

}  // namespace aegis::own_table

// SPDX-License-Identifier: Apache-2.0
#include "own_table.hpp"

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
    CacheRegisterSyscacheCallback(NAMESPACEOID, forget_schema, 0);
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

Scan begin(const char *name, ScanKey keys, int count, const char *index_name, Snapshot snapshot) {
    Oid relid = find(name);
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("extension aegis is not installed in this database"),
                        errhint("Run CREATE EXTENSION aegis.")));
    Scan scan{};
    scan.relation = table_open(relid, AccessShareLock);
    scan.owns_snapshot = snapshot == nullptr;
    scan.snapshot = scan.owns_snapshot ? latest() : snapshot;
    Oid index = InvalidOid;
    if (index_name != nullptr) {
        index = find(index_name);
    } else if (keys != nullptr) {
        list_free(RelationGetIndexList(scan.relation));
        index = scan.relation->rd_pkindex;
    }
    scan.scan = systable_beginscan(scan.relation, index, OidIsValid(index), scan.snapshot,
                                   keys != nullptr ? count : 0, keys);
    return scan;
}

HeapTuple next(Scan &scan) {
    return systable_getnext(scan.scan);
}

void end(Scan &scan) {
    systable_endscan(scan.scan);
    if (scan.owns_snapshot) UnregisterSnapshot(scan.snapshot);
    table_close(scan.relation, AccessShareLock);
}

Datum column(const Scan &scan, HeapTuple tuple, int number, bool *is_null) {
    return heap_getattr(tuple, number, RelationGetDescr(scan.relation), is_null);
}

}  // namespace aegis::own_table

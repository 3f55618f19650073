// SPDX-License-Identifier: Apache-2.0
#include "own_table.hpp"

namespace aegis::own_table {

Oid find(const char *name) {
    Oid schema = get_namespace_oid("aegis", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

Scan begin(const char *name, ScanKey keys, int count, const char *index_name) {
    Oid relid = find(name);
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("extension aegis is not installed in this database"),
                        errhint("Run CREATE EXTENSION aegis.")));
    Scan scan{};
    scan.relation = table_open(relid, AccessShareLock);
    // A statement may use what an earlier command of its transaction wrote, which its own snapshot
    // does not show. In parallel mode no newer snapshot may be taken, and none is needed: nothing
    // was written since the statement began.
    scan.snapshot =
        RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
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
    UnregisterSnapshot(scan.snapshot);
    table_close(scan.relation, AccessShareLock);
}

Datum column(const Scan &scan, HeapTuple tuple, int number, bool *is_null) {
    return heap_getattr(tuple, number, RelationGetDescr(scan.relation), is_null);
}

}  // namespace aegis::own_table

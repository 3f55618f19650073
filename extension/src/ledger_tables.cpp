// SPDX-License-Identifier: Apache-2.0
#include "ledger_tables.hpp"

#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::ledger_tables {

namespace {

constexpr int kMaxPartitions = 4096;

struct Cache {
    bool valid;
    Oids oids;
    int partition_count;
    Oid partitions[kMaxPartitions];
} cache;

void forget_relation(Datum, Oid relation) {
    // The parent is invalidated whenever a partition comes or goes.
    if (!OidIsValid(relation) || relation == cache.oids.entry) cache.valid = false;
}

void forget_schema(Datum, int, uint32) {
    cache.valid = false;
}

bool fill() {
    Oid schema = get_namespace_oid("aegis", true);
    if (!OidIsValid(schema)) return false;
    Oids oids = {};
    oids.schema = schema;
    oids.entry = get_relname_relid("entry", schema);
    oids.entry_seq = get_relname_relid("entry_seq", schema);
    oids.event_type = get_relname_relid("event_type", schema);
    oids.epoch = get_relname_relid("ledger_epoch", schema);
    oids.seal = get_relname_relid("seal", schema);
    oids.seal_leaves = get_relname_relid("seal_leaves", schema);
    oids.tenant_log = get_relname_relid("tenant_log", schema);
    oids.checkpoint = get_relname_relid("checkpoint", schema);
    oids.cosignature = get_relname_relid("cosignature", schema);
    oids.anchor_receipt = get_relname_relid("anchor_receipt", schema);
    oids.tree_node = get_relname_relid("tree_node", schema);
    oids.cut = get_relname_relid("ledger_cut", schema);
    oids.audit_log = get_relname_relid("audit_log", schema);
    oids.watched = get_relname_relid("watched", schema);
    oids.hold = get_relname_relid("ledger_hold", schema);
    oids.retention = get_relname_relid("ledger_retention", schema);
    oids.export_note = get_relname_relid("ledger_export", schema);
    oids.request = get_relname_relid("tenant_request", schema);
    oids.witness = get_relname_relid("witness", schema);
    oids.anchor = get_relname_relid("anchor", schema);
    if (!OidIsValid(oids.entry) || !OidIsValid(oids.entry_seq)) return false;

    cache.oids = oids;
    cache.valid = true;  // cleared again by an invalidation that arrives while we read
    List *children = find_inheritance_children(oids.entry, NoLock);
    if (list_length(children) > kMaxPartitions)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("aegis.entry has more than %d partitions", kMaxPartitions)));
    cache.partition_count = 0;
    ListCell *cell;
    foreach (cell, children) cache.partitions[cache.partition_count++] = lfirst_oid(cell);
    list_free(children);
    // While the extension's script runs, later tables are still missing: look again next time.
    if (!OidIsValid(oids.event_type) || !OidIsValid(oids.epoch) || !OidIsValid(oids.seal) ||
        !OidIsValid(oids.seal_leaves) || !OidIsValid(oids.tenant_log) ||
        !OidIsValid(oids.tree_node) || !OidIsValid(oids.checkpoint) || !OidIsValid(oids.cut) ||
        !OidIsValid(oids.cosignature) || !OidIsValid(oids.anchor_receipt) ||
        !OidIsValid(oids.audit_log) || !OidIsValid(oids.watched) || !OidIsValid(oids.hold) ||
        !OidIsValid(oids.retention) || !OidIsValid(oids.export_note) || !OidIsValid(oids.request) ||
        !OidIsValid(oids.witness) || !OidIsValid(oids.anchor))
        cache.valid = false;
    return true;
}

}  // namespace

detail::Open detail::open = {};

bool is_own_change() {
    return detail::open.own_change;
}

bool is_own_writer() {
    return detail::open.writer;
}

const Oids *find() {
    if (!cache.valid && !fill()) return nullptr;
    return &cache.oids;
}

const Oids &require() {
    const Oids *oids = find();
    if (oids == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("the ledger does not exist in this database"),
                        errhint("Run CREATE EXTENSION aegis.")));
    return *oids;
}

bool contains(Oid relation) {
    const Oids *oids = find();
    if (oids == nullptr || !OidIsValid(relation)) return false;
    if (relation == oids->entry || relation == oids->entry_seq || relation == oids->event_type ||
        relation == oids->epoch || relation == oids->seal || relation == oids->seal_leaves ||
        relation == oids->tenant_log || relation == oids->checkpoint ||
        relation == oids->cosignature || relation == oids->anchor_receipt ||
        relation == oids->tree_node || relation == oids->cut || relation == oids->audit_log ||
        relation == oids->watched || is_beside(relation))
        return true;
    for (int i = 0; i < cache.partition_count; i++)
        if (cache.partitions[i] == relation) return true;
    return false;
}

bool is_beside(Oid relation) {
    const Oids *oids = find();
    return oids != nullptr && OidIsValid(relation) &&
           (relation == oids->hold || relation == oids->retention ||
            relation == oids->export_note || relation == oids->request ||
            relation == oids->witness || relation == oids->anchor);
}

Oid toasted_by(Oid toast) {
    const Oids *oids = find();
    if (oids == nullptr) return InvalidOid;
    // Seldom asked, so nothing is kept.
    auto is_owner = [toast](Oid table) {
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
        if (!HeapTupleIsValid(tuple)) return false;
        bool found = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->reltoastrelid == toast;
        ReleaseSysCache(tuple);
        return found;
    };
    static_assert(sizeof(Oids) % sizeof(Oid) == 0 && std::is_standard_layout_v<Oids>);
    Oid all[sizeof(Oids) / sizeof(Oid)];
    memcpy(all, oids, sizeof all);
    for (Oid table : all)
        if (OidIsValid(table) && is_owner(table)) return table;
    for (int i = 0; i < cache.partition_count; i++)
        if (is_owner(cache.partitions[i])) return cache.partitions[i];
    return InvalidOid;
}

void define() {
    pg::on_relation_change(forget_relation);
    pg::on_catalog_change(NAMESPACEOID, forget_schema);
}

}  // namespace aegis::ledger_tables

#ifdef AEGIS_TESTING
// Changes the ledger past every guard, so that tests can see verification find it.
AEGIS_FUNCTION(aegis_test_tamper) {
    char *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
    uint64 rows = 0;
    aegis::ledger_tables::own_change([&] {
        if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(statement, false, 0) < 0)
            ereport(ERROR,
                    (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not run the statement")));
        rows = SPI_processed;
        SPI_finish();
    });
    PG_RETURN_INT64(static_cast<int64>(rows));
}
#endif

// SPDX-License-Identifier: Apache-2.0
#include "withheld.hpp"

#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"

namespace aegis::withheld {

namespace {

constexpr char kTable[] = "withheld_table";

struct Known {
    bool valid;
    Oid source;
    int count, room;
    Oid *tables;
} known;

pg::Statement put = {
    "INSERT INTO aegis.withheld_table (relation, by_extension) VALUES ($1, $2) ON CONFLICT DO "
    "NOTHING",
    2,
    {REGCLASSOID, BOOLOID},
    nullptr};

void forget(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == known.source) known.valid = false;
}

void load() {
    pg::on_relation_change(forget);
    known.count = 0;
    known.valid = true;  // cleared by an invalidation that arrives while we read
    own_table::Scan scan = own_table::begin(kTable, nullptr);
    while (HeapTuple tuple = own_table::next(scan)) {
        if (known.count == known.room) {
            int room = known.room > 0 ? known.room * 2 : 8;
            Oid *grown =
                static_cast<Oid *>(MemoryContextAlloc(TopMemoryContext, sizeof(Oid) * room));
            if (known.count > 0) {
                memcpy(grown, known.tables, sizeof(Oid) * known.count);
                pfree(known.tables);
            }
            known.tables = grown;
            known.room = room;
        }
        bool is_null;
        known.tables[known.count++] = DatumGetObjectId(own_table::column(scan, tuple, 1, &is_null));
    }
    own_table::end(scan);
}

}  // namespace

bool holds(Oid relation) {
    if (!known.valid) {
        known.source = own_table::find(kTable);
        if (!OidIsValid(known.source)) return false;  // the extension is being made
        load();
    }
    for (int i = 0; i < known.count; i++)
        if (known.tables[i] == relation) return true;
    return false;
}

}  // namespace aegis::withheld

using namespace aegis;

AEGIS_FUNCTION(aegis_withhold_table) {
    Oid relation = PG_GETARG_OID(0);
    char kind = get_rel_relkind(relation);
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("only tables can be withheld")));
    if (!pg_class_ownercheck(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relation));
    Datum values[] = {ObjectIdGetDatum(relation), BoolGetDatum(creating_extension)};
    pg::Identity before = pg::enter();
    bool is_new = pg::execute(withheld::put, values) == 1;
    pg::leave(before);
    if (!is_new) PG_RETURN_VOID();
    // Whoever remembers what is captured, and which fields there are, asks again.
    CacheInvalidateRelcacheByRelid(relation);
    CacheInvalidateRelcacheByRelid(own_table::find("field"));
    CacheInvalidateRelcacheByRelid(own_table::find(withheld::kTable));
    CommandCounterIncrement();

    ledger::Event event{"table.withheld"};
    event.target_kind = "table";
    event.target_id = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                                 get_rel_name(relation));
    ledger::append(event);
    PG_RETURN_VOID();
}

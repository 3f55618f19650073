// SPDX-License-Identifier: Apache-2.0
// The ledger's logs as C2SP tlog-tiles: who may read which, and the hashes. docs/tile.md.
#include "core/tile_path.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tree.hpp"

namespace aegis::tile {

namespace {

core::TilePath path_argument(Datum value) {
    core::ByteView text = pg::varlena_view(value);
    core::TilePath path;
    pg::Report report = pg::run([&] {
        path = core::parse_tile_path({reinterpret_cast<const char *>(text.data), text.size});
    });
    if (report.failed || path.index > static_cast<uint64>(PG_INT64_MAX))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this is not the path of a tile"),
                 errhint("tile/0/x001/067, tile/0/000.p/5 or tile/entries/000.")));
    return path;
}

// In pg::enter(); the result stays in the given context, nullptr for NULL.
struct varlena *read_tile(MemoryContext memory, int32 log, Datum path) {
    static pg::Statement statement = {
        "SELECT aegis.any_tile($1, $2)", 2, {INT4OID, TEXTOID}, nullptr};
    Datum values[2] = {Int32GetDatum(log), path};
    bool is_null;
    pg::read(statement, values);
    Datum tile = pg::column(0, 1, &is_null);
    if (is_null) return nullptr;
    core::ByteView bytes = pg::varlena_view(tile);
    MemoryContext before = MemoryContextSwitchTo(memory);
    struct varlena *copy = pg::copy_varlena(bytes);
    MemoryContextSwitchTo(before);
    return copy;
}

Datum answer(FunctionCallInfo fcinfo, struct varlena *tile) {
    if (tile == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(tile);
}

// The newest leaf of the log in a seal that the newest checkpoint covers; -1 for none.
int64 newest_covered(int32 log) {
    static pg::Statement statement = {
        "SELECT l.first_leaf OPERATOR(pg_catalog.+) (pg_catalog.octet_length(l.leaves) "
        "OPERATOR(pg_catalog./) 32) OPERATOR(pg_catalog.-) 1 FROM aegis.seal_leaves l WHERE l.log "
        "OPERATOR(pg_catalog.=) $1 AND l.root IS NOT NULL AND l.seal OPERATOR(pg_catalog.<=) "
        "(SELECT c.seal FROM aegis.checkpoint c WHERE c.number OPERATOR(pg_catalog.=) "
        "coalesce(aegis.newest_witnessed(), (SELECT pg_catalog.max(o.number) FROM "
        "aegis.checkpoint o))) ORDER BY l.first_leaf DESC LIMIT 1",
        1,
        {INT4OID},
        nullptr};
    Datum value = Int32GetDatum(log);
    bool is_null;
    if (pg::read(statement, &value) == 0) return -1;
    return DatumGetInt64(pg::column(0, 1, &is_null));
}

}  // namespace

}  // namespace aegis::tile

using namespace aegis;

AEGIS_FUNCTION(aegis_tile_path) {
    core::TilePath path = tile::path_argument(PG_GETARG_DATUM(0));
    Datum values[4] = {BoolGetDatum(path.entries), Int32GetDatum(static_cast<int32>(path.level)),
                       Int64GetDatum(static_cast<int64>(path.index)),
                       Int32GetDatum(static_cast<int32>(path.width))};
    bool nulls[4] = {};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.tile_path is not a record")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

AEGIS_FUNCTION(aegis_tile_hashes) {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner reads the nodes of trees")));
    static core::Digest hashes[core::kTileWidth];
    unsigned width = static_cast<unsigned>(PG_GETARG_INT32(3));
    pg::Identity caller = pg::enter();
    bool there = tree::tile(PG_GETARG_INT32(0), static_cast<unsigned>(PG_GETARG_INT32(1)),
                            static_cast<uint64>(PG_GETARG_INT64(2)), width, hashes);
    pg::leave(caller);
    if (!there) PG_RETURN_NULL();
    PG_RETURN_BYTEA_P(pg::copy_varlena({hashes[0].bytes, width * core::kDigestBytes}));
}

AEGIS_FUNCTION(aegis_root_tile) {
    if (tile::path_argument(PG_GETARG_DATUM(0)).entries) tree::require_auditor();
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity caller = pg::enter();
    struct varlena *found = tile::read_tile(memory, tree::kRootLog, PG_GETARG_DATUM(0));
    pg::leave(caller);
    return tile::answer(fcinfo, found);
}

AEGIS_FUNCTION(aegis_log_tile) {
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    tree::require_permission(tenant);
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    tile::path_argument(PG_GETARG_DATUM(1));
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity caller = pg::enter();
    struct varlena *found = tile::read_tile(memory, tree::log_of(tenant), PG_GETARG_DATUM(1));
    pg::leave(caller);
    return tile::answer(fcinfo, found);
}

AEGIS_FUNCTION(aegis_log_receipt) {
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    tree::require_permission(tenant);
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity caller = pg::enter();
    int64 leaf = tile::newest_covered(tree::log_of(tenant));
    text *receipt = leaf < 0 ? nullptr : tree::receipt(memory, tenant, leaf);
    pg::leave(caller);
    return tile::answer(fcinfo, receipt);
}

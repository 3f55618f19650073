// SPDX-License-Identifier: Apache-2.0
// Proofs are made from three kinds of rows: leaf hashes in aegis.seal_leaves, heads (the leaves of
// the root log) in its last rows, and nodes of every eighth level in aegis.tree_node.
#include "core/seal.hpp"
#include "core/tile_path.hpp"

#include "tree.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "seal.hpp"

namespace aegis::tree {

namespace {

constexpr int kBatch = 256;

Datum bytea_of(const core::Digest &digest) {
    return PointerGetDatum(pg::copy_varlena(digest.view()));
}

[[noreturn]] void damaged(int32 log, const char *what, uint64 from, uint64 to) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the tree of log %d is damaged", log),
                    errdetail("Of its %s " UINT64_FORMAT " to " UINT64_FORMAT " some are missing.",
                              what, from, to - 1),
                    errhint("aegis.verify_ledger() says more.")));
    pg_unreachable();
}

struct Range {  // hashes of one level, and how many of them were filled in
    int32 log;
    unsigned level;
    uint64 from, to;
    uint64 filled;
    core::Digest *hashes;  // of `from`
};

// Hashes of consecutive numbers, cut to the range. Rows come in order, so a gap shows here.
void put(Range *range, uint64 first, core::ByteView hashes) {
    uint64 count = hashes.size / core::kDigestBytes;
    uint64 next = range->from + range->filled;
    if (first > next || first + count <= next) return;
    uint64 skip = next - first;
    uint64 take = Min(count - skip, range->to - next);
    memcpy(range->hashes[range->filled].bytes, hashes.data + skip * core::kDigestBytes,
           take * core::kDigestBytes);
    range->filled += take;
}

uint64 number(uint64 row, int at) {
    bool is_null;
    Datum value = pg::column(row, at, &is_null);
    return is_null ? 0 : static_cast<uint64>(DatumGetInt64(value));
}

core::ByteView bytes(uint64 row, int at) {
    bool is_null;
    Datum value = pg::column(row, at, &is_null);
    return is_null ? core::ByteView() : pg::varlena_view(value);
}

void read_leaves(Range *range) {
    // A row holds at most kChunk leaves, so none that starts earlier reaches the range.
    static pg::Statement statement = {
        "SELECT first_leaf, leaves FROM aegis.seal_leaves WHERE log OPERATOR(pg_catalog.=) $1 AND "
        "first_leaf OPERATOR(pg_catalog.>) $2 AND first_leaf OPERATOR(pg_catalog.<) $3 ORDER BY "
        "first_leaf",
        3,
        {INT4OID, INT8OID, INT8OID},
        nullptr};
    Datum values[3] = {Int32GetDatum(range->log),
                       Int64GetDatum(static_cast<int64>(range->from) - seal::kChunk),
                       Int64GetDatum(static_cast<int64>(range->to))};
    uint64 rows = pg::read(statement, values);
    for (uint64 i = 0; i < rows; i++) put(range, number(i, 1), bytes(i, 2));
}

void read_nodes(Range *range) {
    static pg::Statement statement = {
        "SELECT index, hash FROM aegis.tree_node WHERE log OPERATOR(pg_catalog.=) $1 AND level "
        "OPERATOR(pg_catalog.=) $2 AND index OPERATOR(pg_catalog.>=) $3 AND index "
        "OPERATOR(pg_catalog.<) $4 ORDER BY index",
        4,
        {INT4OID, INT2OID, INT8OID, INT8OID},
        nullptr};
    Datum values[4] = {Int32GetDatum(range->log), Int16GetDatum(static_cast<int16>(range->level)),
                       Int64GetDatum(static_cast<int64>(range->from)),
                       Int64GetDatum(static_cast<int64>(range->to))};
    uint64 rows = pg::read(statement, values);
    for (uint64 i = 0; i < rows; i++) put(range, number(i, 1), bytes(i, 2));
}

// Leaf i of the root log belongs to the first seal with a root log larger than i; the heads of a
// seal are in order of their logs. They are counted back from the size that their seal says, so
// that what is missing leaves a gap and does not move what follows.
void read_heads(Range *range) {
    static pg::Statement heads = {
        "SELECT h.log_id, h.size, h.root, h.index FROM (SELECT t.log_id, l.root, l.first_leaf "
        "OPERATOR(pg_catalog.+) (pg_catalog.octet_length(l.leaves) OPERATOR(pg_catalog./) 32) AS "
        "size, s.root_size OPERATOR(pg_catalog.-) pg_catalog.row_number() OVER (PARTITION BY "
        "s.root_size ORDER BY l.log DESC) AS index FROM (SELECT number, root_size FROM aegis.seal "
        "WHERE root_size OPERATOR(pg_catalog.>) $1 AND root_size OPERATOR(pg_catalog.<=) (SELECT "
        "pg_catalog.min(root_size) FROM aegis.seal WHERE root_size OPERATOR(pg_catalog.>=) $2)) s "
        "JOIN aegis.seal_leaves l ON l.seal OPERATOR(pg_catalog.=) s.number AND l.root IS NOT NULL "
        "JOIN aegis.tenant_log t ON t.log OPERATOR(pg_catalog.=) l.log) h WHERE h.index "
        "OPERATOR(pg_catalog.>=) $1 AND h.index OPERATOR(pg_catalog.<) $2 ORDER BY h.index",
        2,
        {INT8OID, INT8OID},
        nullptr};
    Datum values[2] = {Int64GetDatum(static_cast<int64>(range->from)),
                       Int64GetDatum(static_cast<int64>(range->to))};
    uint64 rows = pg::read(heads, values);
    for (uint64 i = 0; i < rows; i++) {
        core::ByteView id = bytes(i, 1), stored = bytes(i, 3);
        uint64 size = number(i, 2);
        if (id.size != core::kLogIdBytes || stored.size != core::kDigestBytes) return;
        core::Digest root, leaf;
        memcpy(root.bytes, stored.data, stored.size);
        pg::raise(pg::run([&] { leaf = core::head_leaf(id, size, root); }));
        put(range, number(i, 4), leaf.view());
    }
}

// Reads the hashes of these tiles. False when some are missing; the range then says which.
bool find(int32 log, core::TileSet *set, Range *range) {
    for (int i = 0; i < set->count; i++) {
        core::Tile *tile = &set->tiles[i];
        uint64 first = tile->index * core::kTileWidth;
        *range = {
            log, tile->level, first + tile->from, first + tile->to, 0, tile->hashes + tile->from};
        if (tile->level > 0)
            read_nodes(range);
        else if (log == kRootLog)
            read_heads(range);
        else
            read_leaves(range);
        if (range->filled != range->to - range->from) return false;
    }
    return true;
}

void fetch(int32 log, core::TileSet *set) {
    Range range;
    if (find(log, set, &range)) return;
    damaged(log, range.level > 0 ? psprintf("nodes of level %u", range.level) : "leaves",
            range.from, range.to);
}

uint64 size_of(int32 log) {
    static pg::Statement root_log = {
        "SELECT pg_catalog.max(root_size) FROM aegis.seal", 0, {}, nullptr};
    static pg::Statement tenant_log = {
        "SELECT size FROM aegis.tenant_log WHERE log OPERATOR(pg_catalog.=) $1",
        1,
        {INT4OID},
        nullptr};
    Datum value = Int32GetDatum(log);
    uint64 rows = log == kRootLog ? pg::read(root_log, nullptr) : pg::read(tenant_log, &value);
    return rows == 0 ? 0 : number(0, 1);
}

void require_size(int32 log, uint64 size) {
    uint64 sealed = size_of(log);
    if (size > sealed)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("size " UINT64_FORMAT " is beyond the log", size),
                        errdetail("The log has " UINT64_FORMAT " sealed leaves.", sealed),
                        errhint("Call aegis.wait_sealed() first.")));
}

// Runs make(source) twice: to learn which hashes it needs, and with them. Only once, and false,
// when read(set) does not find them.
template <typename Read, typename Make>
bool with_hashes_of(Read read, Make make) {
    core::TileSet *set = static_cast<core::TileSet *>(palloc(sizeof(core::TileSet)));
    set->count = 0;
    pg::raise(pg::run([&] {
        core::TileRecorder recorder(set);
        make(recorder);
    }));
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    bool found = read(set);
    SPI_finish();
    if (found)
        pg::raise(pg::run([&] {
            core::TileReader reader(set);
            make(reader);
        }));
    pfree(set);
    return found;
}

template <typename Make>
void with_hashes(int32 log, Make make) {
    with_hashes_of(
        [log](core::TileSet *set) {
            fetch(log, set);
            return true;
        },
        make);
}

// The same for a proof.
template <typename Make>
Path path_with_hashes(int32 log, Make make) {
    Path path = {};
    size_t length = 0;
    with_hashes(log, [&](core::NodeSource &source) {
        const core::Proof proof = make(source);
        length = proof.size();
        for (size_t i = 0; i < length && i < static_cast<size_t>(kMaxPath); i++)
            path.hashes[i] = proof[i];
    });
    if (length > static_cast<size_t>(kMaxPath))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("a proof has more than %d hashes", kMaxPath)));
    path.count = static_cast<int>(length);
    return path;
}

}  // namespace

Path inclusion(int32 log, uint64 index, uint64 size) {
    require_size(log, size);
    if (index >= size)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("leaf " UINT64_FORMAT " is not in a tree of size " UINT64_FORMAT,
                               index, size),
                        errhint("Leaves are numbered from 0.")));
    return path_with_hashes(
        log, [&](core::NodeSource &source) { return core::inclusion_proof(source, index, size); });
}

Path consistency(int32 log, uint64 first, uint64 second) {
    require_size(log, second);
    if (first == 0 || first > second)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a tree of size " UINT64_FORMAT
                               " does not come before one of size " UINT64_FORMAT,
                               first, second),
                        errhint("The first size must be above 0 and not above the second.")));
    return path_with_hashes(log, [&](core::NodeSource &source) {
        return core::consistency_proof(source, first, second);
    });
}

core::Digest root(int32 log, uint64 size) {
    require_size(log, size);
    core::Digest root;
    with_hashes(log, [&](core::NodeSource &source) {
        root = size == 0 ? core::merkle_empty_root() : core::range_root(source, 0, size);
    });
    return root;
}

bool tile(int32 log, unsigned level, uint64 index, unsigned width, core::Digest *hashes) {
    if (width == 0 || width > core::tile_width(size_of(log), level, index)) return false;
    core::TileSet *set = static_cast<core::TileSet *>(palloc(sizeof(core::TileSet)));
    set->count = 1;
    set->tiles[0].level = level * core::kTileHeight;
    set->tiles[0].index = index;
    set->tiles[0].from = 0;
    set->tiles[0].to = width;
    fetch(log, set);
    memcpy(hashes, set->tiles[0].hashes, width * sizeof *hashes);
    pfree(set);
    return true;
}

core::Frontier frontier(int32 log, uint64 size) {
    require_size(log, size);
    core::Frontier frontier;
    with_hashes(log,
                [&](core::NodeSource &source) { frontier = core::range_frontier(source, size); });
    return frontier;
}

bool find_frontier(int32 log, uint64 size, core::Frontier *frontier) {
    return with_hashes_of(
        [log](core::TileSet *set) {
            Range range;
            return find(log, set, &range);
        },
        [&](core::NodeSource &source) { *frontier = core::range_frontier(source, size); });
}

uint64 require_leaf(int32 log, int64 leaf) {
    uint64 sealed = size_of(log);
    if (leaf < 0 || static_cast<uint64>(leaf) >= sealed)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the log has no leaf " INT64_FORMAT, leaf),
                        errdetail("The log has " UINT64_FORMAT " sealed leaves.", sealed),
                        errhint("Leaves are numbered from 0; aegis.wait_sealed() waits for what "
                                "was just recorded.")));
    return static_cast<uint64>(leaf);
}

void append(Writer *writer, int32 log, core::Frontier *frontier, const core::Digest &leaf) {
    core::TreeNode nodes[core::kMaxCompleted];
    int count = 0;
    pg::raise(pg::run([&] { count = frontier->append(leaf, nodes); }));
    for (int i = 0; i < count; i++) {
        if (writer->rows == nullptr)
            writer->rows =
                static_cast<Row *>(MemoryContextAlloc(writer->memory, sizeof(Row) * kBatch));
        writer->rows[writer->count++] = {log, nodes[i]};
        if (writer->count == kBatch) flush(writer);
    }
}

void flush(Writer *writer) {
    static pg::Statement statement = {
        "INSERT INTO aegis.tree_node (log, level, index, hash) SELECT log, level, index, hash FROM "
        "ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
        "pg_catalog.unnest($4)) AS n(log, level, index, hash)",
        4,
        {INT4ARRAYOID, INT2ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID},
        nullptr};
    if (writer->count == 0) return;
    static Datum logs[kBatch], levels[kBatch], indexes[kBatch], hashes[kBatch];
    for (int i = 0; i < writer->count; i++) {
        const Row &row = writer->rows[i];
        logs[i] = Int32GetDatum(row.log);
        levels[i] = Int16GetDatum(row.node.level);
        indexes[i] = Int64GetDatum(static_cast<int64>(row.node.index));
        hashes[i] = bytea_of(row.node.hash);
    }
    Datum values[4] = {
        PointerGetDatum(
            construct_array(logs, writer->count, INT4OID, sizeof(int32), true, TYPALIGN_INT)),
        PointerGetDatum(
            construct_array(levels, writer->count, INT2OID, sizeof(int16), true, TYPALIGN_SHORT)),
        PointerGetDatum(construct_array(indexes, writer->count, INT8OID, sizeof(int64),
                                        FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
        PointerGetDatum(construct_array(hashes, writer->count, BYTEAOID, -1, false, TYPALIGN_INT))};
    pg::execute(statement, values);
    for (int i = 0; i < writer->count; i++) pfree(DatumGetPointer(hashes[i]));
    for (Datum value : values) pfree(DatumGetPointer(value));
    writer->count = 0;
}

}  // namespace aegis::tree

// SPDX-License-Identifier: Apache-2.0
#include "verify_tree.hpp"

#include "pg/function.hpp"
#include "verify_cursor.hpp"

namespace aegis::verify_tree {

namespace {

int compare_places(const Node &a, int32 log, int64 level, int64 index) {
    if (a.log != log) return a.log < log ? -1 : 1;
    if (a.node.level != level) return a.node.level < level ? -1 : 1;
    int64 own = static_cast<int64>(a.node.index);
    return own == index ? 0 : own < index ? -1 : 1;
}

int compare_nodes(const void *a, const void *b) {
    const Node *right = static_cast<const Node *>(b);
    return compare_places(*static_cast<const Node *>(a), right->log, right->node.level,
                          static_cast<int64>(right->node.index));
}

// True when all leaves of a node lie below a size.
bool is_below(int64 level, int64 index, int64 size) {
    return level >= 0 && level < 63 && index >= 0 && index < (size >> level);
}

void find(verify::Report *report, const Logs &logs, int32 log, int64 level, int64 index,
          const char *what) {
    verify::finding(
        report, verify::kTrees, logs.name(logs.state, log),
        psprintf("node " INT64_FORMAT " of level " INT64_FORMAT " %s", index, level, what));
}

}  // namespace

void append(Expected *expected, int32 log, core::Frontier *frontier, const core::Digest &leaf) {
    core::TreeNode completed[core::kMaxCompleted];
    int count = 0;
    pg::raise(pg::run([&] { count = frontier->append(leaf, completed); }));
    if (count == 0) return;
    if (expected->count + count > expected->room) {
        expected->room = Max(2 * expected->room, 1024);
        Size bytes = sizeof(Node) * static_cast<Size>(expected->room);
        expected->nodes = static_cast<Node *>(expected->nodes == nullptr
                                                  ? MemoryContextAllocHuge(expected->memory, bytes)
                                                  : repalloc_huge(expected->nodes, bytes));
    }
    for (int i = 0; i < count; i++) expected->nodes[expected->count++] = {log, completed[i]};
}

void compare(Expected *expected, const Logs &logs, verify::Report *report) {
    if (expected->count > 0) qsort(expected->nodes, expected->count, sizeof(Node), compare_nodes);
    verify::Cursor stored = verify::open_cursor(
        "SELECT log, level::bigint, index, coalesce(hash, '') FROM aegis.tree_node"
        " ORDER BY log, level, index");
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext scratch =
        AllocSetContextCreate(caller, "aegis tree nodes", ALLOCSET_DEFAULT_SIZES);
    int64 at = 0;
    bool before = false;  // a row at this place was seen
    for (;;) {
        MemoryContextSwitchTo(caller);
        MemoryContextReset(scratch);
        HeapTuple tuple = verify::peek(&stored);
        MemoryContextSwitchTo(scratch);
        int order = 1;
        int32 log = 0;
        int64 level = 0, index = 0;
        bool is_null;
        if (tuple != nullptr) {
            TupleDesc shape = stored.rows->tupdesc;
            log = DatumGetInt32(SPI_getbinval(tuple, shape, 1, &is_null));
            level = DatumGetInt64(SPI_getbinval(tuple, shape, 2, &is_null));
            index = DatumGetInt64(SPI_getbinval(tuple, shape, 3, &is_null));
        }
        if (at < expected->count)
            order = tuple == nullptr ? -1 : compare_places(expected->nodes[at], log, level, index);
        if (order < 0) {
            const Node &node = expected->nodes[at++];
            if (!before)
                find(report, logs, node.log, node.node.level, static_cast<int64>(node.node.index),
                     "is missing");
            before = false;
            continue;
        }
        if (tuple == nullptr) break;
        if (order != 0 && is_below(level, index, logs.start(logs.state, log))) {
            stored.at++;
            continue;
        }
        report->items[verify::kTrees]++;
        Known known = logs.known(logs.state, log);
        if (order == 0) {
            core::Digest hash;
            Datum value = SPI_getbinval(tuple, stored.rows->tupdesc, 4, &is_null);
            if (before)
                find(report, logs, log, level, index, "is there twice");
            else if (!verify::copy_digest(value, is_null, &hash) ||
                     !verify::same(hash, expected->nodes[at].node.hash))
                find(report, logs, log, level, index, "is not what its leaves hash to");
            before = true;
        } else if (known == Known::no_such_log) {
            find(report, logs, log, level, index, "belongs to no log");
        } else if (known == Known::whole) {
            find(report, logs, log, level, index, "is there, but its leaves are not");
        }
        stored.at++;
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(scratch);
}

}  // namespace aegis::verify_tree

// SPDX-License-Identifier: Apache-2.0
// The nodes of the ledger's Merkle trees: what the sealer keeps of them, and the proofs that are
// read from them. docs/tree.md.
#pragma once

#include "core/merkle.hpp"

#include "pg/postgres.hpp"

namespace aegis::tree {

// Number of the root log in aegis.tree_node; tenant logs count from 1.
inline constexpr int32 kRootLog = 0;

// No tree that a bigint can count needs more.
inline constexpr int kMaxPath = 64;

struct Path {
    int count;
    core::Digest hashes[kMaxPath];
};

// Read in the active snapshot, with the owner's rights (pg::enter()). ERROR when an index or size
// is not in the log, and when the stored nodes are damaged.
Path inclusion(int32 log, uint64 index, uint64 size);
Path consistency(int32 log, uint64 first, uint64 second);
core::Digest root(int32 log, uint64 size);

// Nodes that a pass of the sealer completed, written in batches. Starts zeroed but for `memory`.
struct Row {
    int32 log;
    core::TreeNode node;
};
struct Writer {
    MemoryContext memory;  // of the pass
    int count;
    Row *rows;
};
void append(Writer *writer, int32 log, core::Frontier *frontier, const core::Digest &leaf);
void flush(Writer *writer);

}  // namespace aegis::tree

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
// The first hashes of a tile: hash i is the root over 256^level leaves, from leaf
// (index * 256 + i) * 256^level on. False when the log is not that far.
bool tile(int32 log, unsigned level, uint64 index, unsigned width, core::Digest *hashes);
// What the log needed at that size to go on.
core::Frontier frontier(int32 log, uint64 size);
// The same for whoever looks for damage: false when stored hashes are missing. They prove nothing
// before the root that they lead to was compared with a known one.
bool find_frontier(int32 log, uint64 size, core::Frontier *frontier);
// ERROR unless the log has this leaf.
uint64 require_leaf(int32 log, int64 leaf);

// The log of a tenant, or of the system for nullptr; ERROR AG008 while nothing of it is sealed.
int32 log_of(const pg_uuid_t *tenant);
// In a tenant's context its admin asks for the own log; without one, an auditor for every log.
// ERROR AG001 or AG010 otherwise.
void require_permission(const pg_uuid_t *tenant);
// ERROR AG010 for everybody but an auditor who is in no tenant's context.
void require_auditor();
// The receipt of a leaf, in the given context; called inside pg::enter().
text *receipt(MemoryContext memory, const pg_uuid_t *tenant, int64 leaf);

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

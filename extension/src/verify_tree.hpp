// SPDX-License-Identifier: Apache-2.0
// Compares the stored hashes that proofs are made of with those that the entries lead to.
#pragma once

#include "core/merkle.hpp"
#include "verify_report.hpp"

namespace aegis::verify_tree {

// What the entries lead to: one node for 256 leaves.
struct Node {
    int32 log;  // 0: the root log
    core::TreeNode node;
};

struct Expected {
    MemoryContext memory;
    int64 count, room;
    Node *nodes;
};

// Grows the log by a leaf and keeps the nodes that this completes.
void append(Expected *expected, int32 log, core::Frontier *frontier, const core::Digest &leaf);

// How far the stored nodes of a log can be judged.
enum class Known { whole, part, nothing, no_such_log };
struct Logs {
    Known (*known)(void *state, int32 log);
    int64 (*start)(void *state, int32 log);  // nodes of leaves below are passed over
    const char *(*name)(void *state, int32 log);
    void *state;
};

// Compares with aegis.tree_node. Needs an SPI connection.
void compare(Expected *expected, const Logs &logs, verify::Report *report);

}  // namespace aegis::verify_tree

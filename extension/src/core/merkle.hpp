// SPDX-License-Identifier: Apache-2.0
// RFC 6962 / RFC 9162 Merkle trees over SHA-256: the frontier that a log keeps, and the roots it
// yields. docs/format/seal-v1.md.
#pragma once

#include "core/digest.hpp"

namespace aegis::core {

Digest merkle_leaf(ByteView data);                            // SHA-256(0x00 || data)
Digest merkle_node(const Digest &left, const Digest &right);  // SHA-256(0x01 || left || right)
Digest merkle_empty_root();                                   // SHA-256("")

// The hash of a complete subtree: MTH(D[index * 2^level : (index + 1) * 2^level]).
struct TreeNode {
    uint8_t level;
    uint64_t index;
    Digest hash;
};

// Levels whose nodes are kept: every eighth, which is what tiles of height 8 hold.
inline constexpr unsigned kTileHeight = 8;
inline constexpr int kMaxCompleted = 64 / kTileHeight;

// The right edge of a tree: one hash for every complete subtree, largest first.
struct Frontier {
    uint64_t size = 0;
    uint8_t count = 0;
    Digest hashes[64];

    // Returns how many nodes of level 8, 16, 24 ... the leaf completes, and writes them to
    // `completed` when that is not null: at most kMaxCompleted. Throws crypto_failure.
    int append(const Digest &leaf, TreeNode *completed = nullptr);
    Digest root() const;
};
static_assert(std::is_trivially_destructible_v<Frontier>);

// u64 size | hashes. Exact size is 8 + 32 * popcount(size).
size_t frontier_size(const Frontier &frontier) noexcept;
void encode_frontier(const Frontier &frontier, ByteSpan out);
Frontier decode_frontier(ByteView bytes);  // throws malformed

}  // namespace aegis::core

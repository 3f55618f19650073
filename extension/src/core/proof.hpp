// SPDX-License-Identifier: Apache-2.0
// Inclusion and consistency proofs of RFC 6962 trees: making them from stored nodes, and checking
// them by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2. docs/format/proof-v1.md.
#pragma once

#include <vector>

#include "core/merkle.hpp"

namespace aegis::core {

using Proof = std::vector<Digest>;

// Where the hashes of complete subtrees come from: memory, tiles, a table.
class NodeSource {
 public:
    virtual ~NodeSource() = default;
    // MTH(D[index * 2^level : (index + 1) * 2^level]). Throws when it is not there.
    virtual Digest node(unsigned level, uint64_t index) = 0;
};

// MTH(D[from : to]) for a range that a proof can ask for. Throws invalid_argument otherwise.
Digest range_root(NodeSource &source, uint64_t from, uint64_t to);

// The frontier of the first leaves.
Frontier range_frontier(NodeSource &source, uint64_t size);

// From the leaf up. Throws invalid_argument unless index < size.
Proof inclusion_proof(NodeSource &source, uint64_t index, uint64_t size);
// Throws invalid_argument unless 0 < first <= second.
Proof consistency_proof(NodeSource &source, uint64_t first, uint64_t second);

// The root that the leaf and the proof lead to; false when the proof does not have the length that
// index and size demand.
bool inclusion_root(uint64_t index, uint64_t size, const Digest &leaf, const Proof &proof,
                    Digest *root);
bool verify_inclusion(uint64_t index, uint64_t size, const Digest &leaf, const Proof &proof,
                      const Digest &root);
// An empty first tree is consistent with nothing here: callers that accept it say so themselves.
bool verify_consistency(uint64_t first, uint64_t second, const Proof &proof,
                        const Digest &first_root, const Digest &second_root);

bool operator==(const Digest &a, const Digest &b) noexcept;
inline bool operator!=(const Digest &a, const Digest &b) noexcept {
    return !(a == b);
}

}  // namespace aegis::core

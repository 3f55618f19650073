// SPDX-License-Identifier: Apache-2.0
#include "core/proof.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

bool is_power_of_two(uint64_t v) {
    return v != 0 && (v & (v - 1)) == 0;
}

unsigned log2_of(uint64_t power) {
    unsigned level = 0;
    while (power >>= 1) ++level;
    return level;
}

// Largest power of two smaller than n; n > 1.
uint64_t split(uint64_t n) {
    uint64_t k = 1;
    while (k < n - k) k <<= 1;
    return k;
}

void inclusion_path(NodeSource &source, uint64_t from, uint64_t to, uint64_t index, Proof *proof) {
    if (to - from == 1) return;
    const uint64_t middle = from + split(to - from);
    if (index < middle) {
        inclusion_path(source, from, middle, index, proof);
        proof->push_back(range_root(source, middle, to));
    } else {
        inclusion_path(source, middle, to, index, proof);
        proof->push_back(range_root(source, from, middle));
    }
}

// SUBPROOF of RFC 6962: `whole` while the old tree's root is one that the verifier knows.
void subproof(NodeSource &source, uint64_t first, uint64_t from, uint64_t to, bool whole,
              Proof *proof) {
    if (first == to) {
        if (!whole) proof->push_back(range_root(source, from, to));
        return;
    }
    const uint64_t middle = from + split(to - from);
    if (first <= middle) {
        subproof(source, first, from, middle, whole, proof);
        proof->push_back(range_root(source, middle, to));
    } else {
        subproof(source, first, middle, to, false, proof);
        proof->push_back(range_root(source, from, middle));
    }
}

}  // namespace

bool operator==(const Digest &a, const Digest &b) noexcept {
    return memcmp(a.bytes, b.bytes, kDigestBytes) == 0;
}

Digest range_root(NodeSource &source, uint64_t from, uint64_t to) {
    if (from >= to) throw Error{Code::invalid_argument, "an empty range has no root"};
    const uint64_t width = to - from;
    if (is_power_of_two(width) && from % width == 0)
        return source.node(log2_of(width), from / width);
    const uint64_t middle = from + split(width);
    return merkle_node(range_root(source, from, middle), range_root(source, middle, to));
}

Frontier range_frontier(NodeSource &source, uint64_t size) {
    Frontier frontier;
    frontier.size = size;
    uint64_t from = 0;
    for (unsigned level = 64; level-- > 0;) {
        const uint64_t width = uint64_t{1} << level;
        if ((size & width) == 0) continue;
        frontier.hashes[frontier.count++] = source.node(level, from >> level);
        from += width;
    }
    return frontier;
}

Proof inclusion_proof(NodeSource &source, uint64_t index, uint64_t size) {
    if (index >= size) throw Error{Code::invalid_argument, "leaf index is not in the tree"};
    Proof proof;
    inclusion_path(source, 0, size, index, &proof);
    return proof;
}

Proof consistency_proof(NodeSource &source, uint64_t first, uint64_t second) {
    if (first == 0 || first > second)
        throw Error{Code::invalid_argument,
                    "the first tree must be neither empty nor larger than the second"};
    Proof proof;
    subproof(source, first, 0, second, true, &proof);
    return proof;
}

bool inclusion_root(uint64_t index, uint64_t size, const Digest &leaf, const Proof &proof,
                    Digest *root) {
    if (index >= size) return false;
    uint64_t node = index, last = size - 1;
    Digest hash = leaf;
    for (const Digest &sibling : proof) {
        if (last == 0) return false;
        if ((node & 1) || node == last) {
            hash = merkle_node(sibling, hash);
            while (!(node & 1) && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = merkle_node(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    *root = hash;
    return last == 0;
}

bool verify_inclusion(uint64_t index, uint64_t size, const Digest &leaf, const Proof &proof,
                      const Digest &root) {
    Digest reached;
    return inclusion_root(index, size, leaf, proof, &reached) && reached == root;
}

bool verify_consistency(uint64_t first, uint64_t second, const Proof &proof,
                        const Digest &first_root, const Digest &second_root) {
    if (first == 0 || first > second) return false;
    if (first == second) return proof.empty() && first_root == second_root;
    if (proof.empty()) return false;
    // A complete first tree is itself the first node of the path.
    size_t at = is_power_of_two(first) ? 0 : 1;
    Digest old_hash = at == 0 ? first_root : proof[0];
    Digest new_hash = old_hash;
    uint64_t node = first - 1, last = second - 1;
    while (node & 1) {
        node >>= 1;
        last >>= 1;
    }
    for (; at < proof.size(); ++at) {
        if (last == 0) return false;
        if ((node & 1) || node == last) {
            old_hash = merkle_node(proof[at], old_hash);
            new_hash = merkle_node(proof[at], new_hash);
            while (!(node & 1) && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = merkle_node(new_hash, proof[at]);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && old_hash == first_root && new_hash == second_root;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/proof.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// Every complete subtree is computed anew from the leaves: slow and plain.
class Leaves : public NodeSource {
 public:
    explicit Leaves(size_t count) {
        for (size_t i = 0; i < count; ++i)
            leaves_.push_back(merkle_leaf(as_bytes("leaf " + std::to_string(i))));
    }
    Digest node(unsigned level, uint64_t index) override {
        if (level == 0) return leaves_.at(index);
        return merkle_node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
    }
    Digest root(size_t size) {
        Frontier frontier;
        for (size_t i = 0; i < size; ++i) frontier.append(leaves_[i]);
        return frontier.root();
    }
    const Digest &leaf(size_t i) const { return leaves_[i]; }

 private:
    std::vector<Digest> leaves_;
};

}  // namespace

TEST(Proof, EveryLeafOfEverySmallTree) {
    Leaves leaves(70);
    for (uint64_t size = 1; size <= 70; ++size)
        for (uint64_t index = 0; index < size; ++index) {
            const Proof proof = inclusion_proof(leaves, index, size);
            ASSERT_TRUE(verify_inclusion(index, size, leaves.leaf(index), proof, leaves.root(size)))
                << size << " " << index;
            ASSERT_FALSE(verify_inclusion(index, size, leaves.leaf((index + 1) % 70), proof,
                                          leaves.root(size)));
            if (size > 1) {
                ASSERT_FALSE(verify_inclusion((index + 1) % size, size, leaves.leaf(index), proof,
                                              leaves.root(size)));
            }
        }
}

TEST(Proof, EveryPairOfSmallTrees) {
    Leaves leaves(40);
    for (uint64_t second = 1; second <= 40; ++second)
        for (uint64_t first = 1; first <= second; ++first) {
            const Proof proof = consistency_proof(leaves, first, second);
            ASSERT_TRUE(
                verify_consistency(first, second, proof, leaves.root(first), leaves.root(second)));
            if (first == second) continue;
            ASSERT_FALSE(
                verify_consistency(first, second, proof, leaves.root(second), leaves.root(second)));
            ASSERT_FALSE(
                verify_consistency(first, second, proof, leaves.root(first), leaves.root(first)));
        }
}

// Each hash of a proof matters, and none may be missing or added.
TEST(Proof, AnyChangeIsRefused) {
    Leaves leaves(25);
    const Digest root = leaves.root(25), old_root = leaves.root(11);
    Proof inclusion = inclusion_proof(leaves, 17, 25),
          consistency = consistency_proof(leaves, 11, 25);
    for (size_t at = 0; at < inclusion.size(); ++at) {
        Proof changed = inclusion;
        changed[at].bytes[at % 32] ^= 1;
        EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), changed, root));
        changed = inclusion;
        changed.erase(changed.begin() + static_cast<long>(at));
        EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), changed, root));
    }
    for (size_t at = 0; at < consistency.size(); ++at) {
        Proof changed = consistency;
        changed[at].bytes[at % 32] ^= 1;
        EXPECT_FALSE(verify_consistency(11, 25, changed, old_root, root));
        changed = consistency;
        changed.erase(changed.begin() + static_cast<long>(at));
        EXPECT_FALSE(verify_consistency(11, 25, changed, old_root, root));
    }
    inclusion.push_back(root);
    consistency.push_back(root);
    EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), inclusion, root));
    EXPECT_FALSE(verify_consistency(11, 25, consistency, old_root, root));
}

TEST(Proof, RefusesWhatIsNotInTheTree) {
    Leaves leaves(8);
    EXPECT_THROW(inclusion_proof(leaves, 8, 8), Error);
    EXPECT_THROW(inclusion_proof(leaves, 0, 0), Error);
    EXPECT_THROW(consistency_proof(leaves, 0, 8), Error);
    EXPECT_THROW(consistency_proof(leaves, 8, 7), Error);
    EXPECT_FALSE(verify_inclusion(0, 0, leaves.leaf(0), {}, merkle_empty_root()));
    EXPECT_FALSE(verify_consistency(0, 0, {}, merkle_empty_root(), merkle_empty_root()));
    EXPECT_FALSE(verify_consistency(2, 1, {}, leaves.root(2), leaves.root(1)));
}

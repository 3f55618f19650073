// SPDX-License-Identifier: Apache-2.0
#include "core/tile.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

constexpr uint64_t kLeaves = 70000;  // beyond one tile of level 8

// Every level of one tree, computed from the leaves without the code under test.
struct Tree {
    std::vector<std::vector<Digest>> levels;
    std::vector<TreeNode> completed;
    Tree() {
        levels.emplace_back();
        for (uint64_t i = 0; i < kLeaves; ++i)
            levels[0].push_back(merkle_leaf(as_bytes("leaf " + std::to_string(i))));
        while (levels.back().size() > 1) {
            const std::vector<Digest> &below = levels.back();
            std::vector<Digest> level;
            for (size_t i = 0; i + 1 < below.size(); i += 2)
                level.push_back(merkle_node(below[i], below[i + 1]));
            levels.push_back(level);
        }
        Frontier frontier;
        TreeNode nodes[kMaxCompleted];
        for (const Digest &leaf : levels[0])
            for (int i = 0, count = frontier.append(leaf, nodes); i < count; ++i)
                completed.push_back(nodes[i]);
    }
    Digest root(uint64_t size) const {
        Frontier frontier;
        for (uint64_t i = 0; i < size; ++i) frontier.append(levels[0][i]);
        return frontier.root();
    }
};

const Tree &tree() {
    static const Tree it;
    return it;
}

// Only what a ledger stores: leaves, and nodes that a frontier completed.
void fill(TileSet *set, uint64_t size) {
    for (int i = 0; i < set->count; ++i) {
        Tile &tile = set->tiles[i];
        ASSERT_LE(tile.to, kTileWidth);
        ASSERT_EQ(tile.level % 8, 0u);
        const uint64_t first = tile.index * kTileWidth;
        ASSERT_LE((first + tile.to) << tile.level, size) << "beyond the tree";
        for (unsigned at = tile.from; at < tile.to; ++at)
            tile.hashes[at] = tree().levels.at(tile.level).at(first + at);
    }
}

TileSet *new_set() {
    static TileSet set;
    set.count = 0;
    for (Tile &tile : set.tiles) memset(static_cast<void *>(&tile), 0xee, sizeof tile);
    return &set;
}

void check_inclusion(uint64_t index, uint64_t size, const Digest &root) {
    TileSet *set = new_set();
    TileRecorder recorder(set);
    inclusion_proof(recorder, index, size);
    fill(set, size);
    TileReader reader(set);
    ASSERT_TRUE(verify_inclusion(index, size, tree().levels[0][index],
                                 inclusion_proof(reader, index, size), root))
        << index << " " << size;
}

void check_consistency(uint64_t first, uint64_t second, const Digest &before, const Digest &root) {
    TileSet *set = new_set();
    TileRecorder recorder(set);
    consistency_proof(recorder, first, second);
    fill(set, second);
    TileReader reader(set);
    ASSERT_TRUE(
        verify_consistency(first, second, consistency_proof(reader, first, second), before, root))
        << first << " " << second;
}

}  // namespace

TEST(Tile, AFrontierCompletesTheNodesOfEveryEighthLevel) {
    size_t at = 0, level16 = 0;
    for (const TreeNode &node : tree().completed) {
        ASSERT_TRUE(node.level == 8 || node.level == 16);
        ASSERT_TRUE(node.hash == tree().levels.at(node.level).at(node.index));
        if (node.level == 8) {
            ASSERT_EQ(node.index, at++);
        } else {
            ASSERT_EQ(node.index, level16++);
        }
    }
    EXPECT_EQ(at, kLeaves / 256);
    EXPECT_EQ(level16, kLeaves / 65536);
}

TEST(Tile, CompletedNodesAreAsManyAsCounted) {
    Frontier frontier;
    frontier.size = (uint64_t{1} << 32) - 1;
    frontier.count = 32;
    TreeNode nodes[kMaxCompleted];
    ASSERT_EQ(frontier.append(merkle_leaf(as_bytes("last")), nodes), 4);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(nodes[i].level, 8 * (i + 1));
        EXPECT_EQ(nodes[i].index, (uint64_t{1} << (32 - 8 * (i + 1))) - 1);
    }
    EXPECT_TRUE(nodes[3].hash == frontier.root());
    EXPECT_EQ(frontier.append(merkle_leaf(as_bytes("next")), nodes), 0);
}

TEST(Tile, EveryProofOfSmallTrees) {
    for (uint64_t size = 1; size <= 70; ++size) {
        const Digest root = tree().root(size);
        for (uint64_t index = 0; index < size; ++index) check_inclusion(index, size, root);
        for (uint64_t first = 1; first <= size; ++first)
            check_consistency(first, size, tree().root(first), root);
    }
}

TEST(Tile, ProofsAcrossTheEdgesOfTiles) {
    const uint64_t sizes[] = {255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, kLeaves};
    for (const uint64_t size : sizes) {
        const Digest root = tree().root(size);
        const uint64_t at[] = {0,   1,   127, 128,   254,   255,      256,
                               257, 511, 512, 65535, 65536, size / 3, size - 1};
        for (const uint64_t index : at)
            if (index < size) check_inclusion(index, size, root);
        for (const uint64_t first : at)
            if (first > 0 && first <= size)
                check_consistency(first, size, tree().root(first), root);
    }
}

// The set is large enough for any tree that a bigint can count.
TEST(Tile, TheLargestTreesFit) {
    const uint64_t largest = uint64_t{INT64_MAX};
    uint64_t random = 1;
    for (int round = 0; round < 20000; ++round) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const uint64_t size = round < 63 ? largest >> round : (random >> 1) | 1;
        random = random * 6364136223846793005u + 1442695040888963407u;
        const uint64_t index = round % 2 == 0 ? random % size : size / 2;
        TileSet *set = new_set();
        TileRecorder recorder(set);
        ASSERT_LE(inclusion_proof(recorder, index, size).size(), 64u);
        set->count = 0;
        ASSERT_LE(consistency_proof(recorder, index + 1, size).size(), 64u);
        set->count = 0;
        range_root(recorder, 0, size);
    }
}

TEST(Tile, OnlyNotedHashesAreAnswered) {
    TileSet *set = new_set();
    TileRecorder recorder(set);
    recorder.node(0, 5);
    recorder.node(1, 4);
    ASSERT_EQ(set->count, 1);
    EXPECT_EQ(set->tiles[0].from, 5u);
    EXPECT_EQ(set->tiles[0].to, 10u);
    TileReader reader(set);
    expect_error(Code::invalid_argument, [&] { reader.node(0, 4); });
    expect_error(Code::invalid_argument, [&] { reader.node(1, 5); });
    expect_error(Code::invalid_argument, [&] { reader.node(8, 0); });
    for (uint64_t i = 1; i < static_cast<uint64_t>(kMaxTiles); ++i) recorder.node(8, 256 * i);
    expect_error(Code::too_long, [&] { recorder.node(8, 1 << 20); });
}

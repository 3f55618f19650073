// SPDX-License-Identifier: Apache-2.0
// Reads proofs from tiles: runs of up to 256 hashes of one level (0, 8, 16 ...), from which the
// seven levels above are computed. A proof is made twice: the first time it only notes which hashes
// it needs, so that whoever stores them fetches them in between, without C++ objects alive.
#pragma once

#include "core/proof.hpp"

namespace aegis::core {

inline constexpr unsigned kTileWidth = 1u << kTileHeight;
// A proof touches a few tiles of each level: those of its path and those of the right edge.
inline constexpr int kMaxTiles = 32;

struct Tile {
    unsigned level;     // of its hashes: 0, 8, 16 ...
    uint64_t index;     // its first hash is number index * 256 of the level
    unsigned from, to;  // which of its hashes are needed
    Digest hashes[kTileWidth];
};

struct TileSet {
    int count = 0;
    Tile tiles[kMaxTiles];
};
static_assert(std::is_trivially_destructible_v<TileSet>);

// Notes the hashes that are asked for, and answers with nonsense.
class TileRecorder : public NodeSource {
 public:
    explicit TileRecorder(TileSet *set) : set_(set) {}
    Digest node(unsigned level, uint64_t index) override;  // throws too_long

 private:
    TileSet *set_;
};

// Answers from hashes that were noted and filled in.
class TileReader : public NodeSource {
 public:
    explicit TileReader(const TileSet *set) : set_(set) {}
    Digest node(unsigned level, uint64_t index) override;  // throws invalid_argument

 private:
    const TileSet *set_;
};

}  // namespace aegis::core

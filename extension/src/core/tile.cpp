// SPDX-License-Identifier: Apache-2.0
#include "core/tile.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

struct Place {  // where the hashes of a node stand
    unsigned level;
    uint64_t tile;
    unsigned from, count;
};

// A node less than eight levels above a tile's hashes covers a run of them inside one tile.
Place place_of(unsigned level, uint64_t index) {
    const unsigned above = level % kTileHeight;
    const uint64_t first = index << above;
    return {level - above, first / kTileWidth, static_cast<unsigned>(first % kTileWidth),
            1u << above};
}

Digest run_root(const Digest *hashes, unsigned count) {
    if (count == 1) return *hashes;
    return merkle_node(run_root(hashes, count / 2), run_root(hashes + count / 2, count / 2));
}

}  // namespace

Digest TileRecorder::node(unsigned level, uint64_t index) {
    const Place place = place_of(level, index);
    Tile *tile = nullptr;
    for (int i = 0; i < set_->count; ++i)
        if (set_->tiles[i].level == place.level && set_->tiles[i].index == place.tile)
            tile = &set_->tiles[i];
    if (tile == nullptr) {
        if (set_->count == kMaxTiles) throw Error{Code::too_long, "a proof needs too many tiles"};
        tile = &set_->tiles[set_->count++];
        tile->level = place.level;
        tile->index = place.tile;
        tile->from = place.from;
        tile->to = place.from + place.count;
    }
    if (place.from < tile->from) tile->from = place.from;
    if (place.from + place.count > tile->to) tile->to = place.from + place.count;
    return Digest{};
}

Digest TileReader::node(unsigned level, uint64_t index) {
    const Place place = place_of(level, index);
    for (int i = 0; i < set_->count; ++i) {
        const Tile &tile = set_->tiles[i];
        if (tile.level == place.level && tile.index == place.tile && tile.from <= place.from &&
            place.from + place.count <= tile.to)
            return run_root(tile.hashes + place.from, place.count);
    }
    throw Error{Code::invalid_argument, "a hash was not asked for"};
}

}  // namespace aegis::core

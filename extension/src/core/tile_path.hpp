// SPDX-License-Identifier: Apache-2.0
// C2SP tlog-tiles: which tile a path names, how wide it is, and bundles of entries.
// docs/tile.md.
#pragma once

#include <string>
#include <vector>

#include "core/tile.hpp"

namespace aegis::core {

inline constexpr size_t kMaxBundledEntryBytes = 65535;
// 256^7 leaves are more than a bigint counts.
inline constexpr unsigned kMaxTileLevel = 7;

struct TilePath {
    bool entries = false;  // a bundle of entries; its level is 0
    unsigned level = 0;    // hash i of the tile covers 256^level leaves
    uint64_t index = 0;
    unsigned width = kTileWidth;  // less in a partial tile
};

// "tile/0/x001/x234/067", "tile/entries/000.p/5". The only spelling. Throws malformed.
TilePath parse_tile_path(std::string_view text);
std::string format_tile_path(const TilePath &path);

// How many hashes a log of this size has in the tile: 256, fewer at the edge, 0 beyond it.
unsigned tile_width(uint64_t size, unsigned level, uint64_t index);

// u16 length | entry, one after the other. Throws malformed unless these are exactly `count`.
std::vector<std::string_view> parse_entry_bundle(std::string_view bytes, unsigned count);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/tile_path.hpp"

#include "core/checkpoint.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kPrefix = "tile/";
constexpr std::string_view kEntries = "entries";
constexpr size_t kGroup = 3;  // digits between two slashes
constexpr uint64_t kGroupSize = 1000;
constexpr size_t kMaxGroups = 7;

[[noreturn]] void malformed() {
    throw Error{Code::malformed, "this is not the path of a tile"};
}

std::string_view take_segment(std::string_view *rest) {
    const size_t end = rest->find('/');
    const std::string_view segment = rest->substr(0, end);
    rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
    return segment;
}

uint64_t group_of(std::string_view digits) {
    if (digits.size() != kGroup) malformed();
    uint64_t value = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') malformed();
        value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    return value;
}

// All groups but the last begin with "x"; the first of several is not zero.
uint64_t take_index(std::string_view *rest) {
    uint64_t index = 0;
    for (size_t groups = 1; groups <= kMaxGroups; ++groups) {
        std::string_view segment = take_segment(rest);
        const bool more = !segment.empty() && segment[0] == 'x';
        if (more) segment.remove_prefix(1);
        const bool partial = segment.size() > kGroup && segment.substr(kGroup) == ".p";
        const uint64_t value = group_of(partial ? segment.substr(0, kGroup) : segment);
        if (more && groups == 1 && value == 0) malformed();
        if (index > (UINT64_MAX - value) / kGroupSize) malformed();
        index = index * kGroupSize + value;
        if (more && partial) malformed();
        if (more) continue;
        if (partial == rest->empty()) malformed();
        return index;
    }
    malformed();
}

}  // namespace

TilePath parse_tile_path(std::string_view text) {
    if (text.substr(0, kPrefix.size()) != kPrefix || text.back() == '/') malformed();
    text.remove_prefix(kPrefix.size());
    TilePath path;
    const std::string_view level = take_segment(&text);
    path.entries = level == kEntries;
    if (!path.entries) path.level = static_cast<unsigned>(parse_decimal(level));
    if (path.level > kMaxTileLevel) malformed();
    path.index = take_index(&text);
    if (!text.empty()) {
        const uint64_t width = parse_decimal(text);
        if (width == 0 || width >= kTileWidth) malformed();
        path.width = static_cast<unsigned>(width);
    }
    return path;
}

std::string format_tile_path(const TilePath &path) {
    std::string number = std::to_string(path.index);
    number.insert(0, (kGroup - number.size() % kGroup) % kGroup, '0');
    std::string text(kPrefix);
    text += path.entries ? std::string(kEntries) : std::to_string(path.level);
    for (size_t at = 0; at < number.size(); at += kGroup)
        text += (at + kGroup < number.size() ? "/x" : "/") + number.substr(at, kGroup);
    if (path.width < kTileWidth) text += ".p/" + std::to_string(path.width);
    return text;
}

unsigned tile_width(uint64_t size, unsigned level, uint64_t index) {
    const unsigned shift = level * kTileHeight;
    const uint64_t hashes = shift >= 64 ? 0 : size >> shift;
    if (index > hashes / kTileWidth) return 0;
    const uint64_t left = hashes - index * kTileWidth;
    return left < kTileWidth ? static_cast<unsigned>(left) : kTileWidth;
}

std::vector<std::string_view> parse_entry_bundle(std::string_view bytes, unsigned count) {
    std::vector<std::string_view> entries;
    while (entries.size() < count) {
        if (bytes.size() < 2) throw Error{Code::malformed, "a bundle of entries is cut"};
        const size_t size = get_u16(as_bytes(bytes).data);
        bytes.remove_prefix(2);
        if (bytes.size() < size) throw Error{Code::malformed, "a bundle of entries is cut"};
        entries.push_back(bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
    if (!bytes.empty())
        throw Error{Code::malformed, "a bundle of entries has bytes behind its end"};
    return entries;
}

}  // namespace aegis::core

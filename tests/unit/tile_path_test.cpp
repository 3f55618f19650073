// SPDX-License-Identifier: Apache-2.0
#include "core/tile_path.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

class TileVectors : public ::testing::Test {
 protected:
    void SetUp() override {
        std::ifstream file(AEGIS_VECTORS "/tile_v1.json");
        std::stringstream text;
        text << file.rdbuf();
        all_.Parse(text.str().c_str());
        ASSERT_FALSE(all_.HasParseError());
    }
    static uint64_t number(const rapidjson::Value &digits) {
        return std::stoull(digits.GetString());
    }
    static std::string bytes(const rapidjson::Value &hex) {
        const Bytes raw = from_hex(hex.GetString());
        return {raw.begin(), raw.end()};
    }
    rapidjson::Document all_;
};

}  // namespace

TEST_F(TileVectors, PathsAndNothingElse) {
    for (const auto &made : all_["paths"].GetArray()) {
        TilePath path;
        path.entries = made["kind"] == "entries";
        path.level = path.entries ? 0 : static_cast<unsigned>(number(made["kind"]));
        path.index = number(made["index"]);
        path.width = made["width"].GetUint();
        EXPECT_EQ(format_tile_path(path), made["path"].GetString());
        const TilePath back = parse_tile_path(made["path"].GetString());
        EXPECT_EQ(back.index, path.index);
        EXPECT_EQ(back.width, path.width);
        EXPECT_EQ(back.level, path.level);
        EXPECT_EQ(back.entries, path.entries);
    }
    for (const auto &bad : all_["refused"].GetArray())
        EXPECT_THROW(parse_tile_path(bytes(bad)), Error) << bytes(bad);
}

TEST_F(TileVectors, WidthsAndBundles) {
    for (const auto &width : all_["widths"].GetArray())
        EXPECT_EQ(
            tile_width(number(width["size"]), width["level"].GetUint(), number(width["index"])),
            width["width"].GetUint());
    const std::string bundle = bytes(all_["bundle"]);
    const auto entries = parse_entry_bundle(bundle, 3);
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(entries[i], bytes(all_["entries"][i]));
    for (const auto &bad : all_["refused_bundles"].GetArray())
        EXPECT_THROW(parse_entry_bundle(bytes(bad), 3), Error);
}

TEST(TilePath, IsWhatTheSpecificationWrites) {
    TilePath path;
    path.index = 1234067;
    EXPECT_EQ(format_tile_path(path), "tile/0/x001/x234/067");
    path.level = 2;
    path.index = 0;
    path.width = 1;
    EXPECT_EQ(format_tile_path(path), "tile/2/000.p/1");
    path.entries = true;
    path.level = 0;
    path.index = 273;
    path.width = 112;
    EXPECT_EQ(format_tile_path(path), "tile/entries/273.p/112");
}

TEST(TilePath, ReadsWhatItWrites) {
    for (uint64_t index : {uint64_t{0}, uint64_t{999}, uint64_t{1000}, uint64_t{1000000},
                           uint64_t{987654321}, UINT64_MAX / 256})
        for (unsigned width : {1u, 255u, 256u})
            for (unsigned level = 0; level <= kMaxTileLevel + 1; ++level) {
                TilePath path;
                path.entries = level > kMaxTileLevel;
                path.level = path.entries ? 0 : level;
                path.index = index;
                path.width = width;
                const std::string text = format_tile_path(path);
                const TilePath back = parse_tile_path(text);
                EXPECT_EQ(format_tile_path(back), text);
                EXPECT_EQ(back.index, index);
                EXPECT_EQ(back.width, width);
            }
}

// Size 70,000: 273 full tiles and one of 112; one full and one of 17; one of 1.
TEST(TilePath, WidthOfTheEdge) {
    EXPECT_EQ(tile_width(70000, 0, 272), 256u);
    EXPECT_EQ(tile_width(70000, 0, 273), 112u);
    EXPECT_EQ(tile_width(70000, 0, 274), 0u);
    EXPECT_EQ(tile_width(70000, 1, 0), 256u);
    EXPECT_EQ(tile_width(70000, 1, 1), 17u);
    EXPECT_EQ(tile_width(70000, 2, 0), 1u);
    EXPECT_EQ(tile_width(70000, 3, 0), 0u);
    EXPECT_EQ(tile_width(0, 0, 0), 0u);
    EXPECT_EQ(tile_width(UINT64_MAX, kMaxTileLevel, 0), 255u);
    EXPECT_EQ(tile_width(5, 0, UINT64_MAX), 0u);
}

TEST(EntryBundle, IsReadWhole) {
    const std::string bytes("\0\2ab\0\0\0\1c", 9);
    const auto entries = parse_entry_bundle(bytes, 3);
    EXPECT_EQ(entries, (std::vector<std::string_view>{"ab", "", "c"}));
    for (size_t size = 0; size < bytes.size(); ++size)
        EXPECT_THROW(parse_entry_bundle(bytes.substr(0, size), 3), Error) << size;
    EXPECT_THROW(parse_entry_bundle(bytes, 2), Error);
    EXPECT_THROW(parse_entry_bundle(bytes + "x", 3), Error);
    EXPECT_TRUE(parse_entry_bundle("", 0).empty());
}

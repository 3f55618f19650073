// SPDX-License-Identifier: Apache-2.0
#include "core/bytes.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

TEST(Bytes, NumbersAreBigEndian) {
    uint8_t out[8];
    put_u16(out, 0x0102);
    EXPECT_EQ(to_hex({out, 2}), "0102");
    EXPECT_EQ(get_u16(out), 0x0102);
    put_u32(out, 0xfffefdfc);
    EXPECT_EQ(to_hex({out, 4}), "fffefdfc");
    EXPECT_EQ(get_u32(out), 0xfffefdfcu);
    put_u64(out, 0x8102030405060708);
    EXPECT_EQ(to_hex(out), "8102030405060708");
    EXPECT_EQ(get_u64(out), 0x8102030405060708u);
}

TEST(Bytes, ComparesWholeContentsAndSizes) {
    const Bytes a = from_hex("00ff10"), b = from_hex("00ff11"), c = from_hex("00ff");
    EXPECT_TRUE(equal_constant_time(view(a), view(Bytes(a))));
    EXPECT_FALSE(equal_constant_time(view(a), view(b)));
    EXPECT_FALSE(equal_constant_time(view(a), view(c)));
    EXPECT_TRUE(equal_constant_time({}, {}));
    EXPECT_FALSE(equal_constant_time({}, view(c)));
}

TEST(Bytes, WipeOverwritesOnlyTheSpan) {
    Bytes a = from_hex("aabbccdd");
    wipe({a.data() + 1, 2});
    EXPECT_EQ(to_hex(view(a)), "aa0000dd");
    wipe({});
}

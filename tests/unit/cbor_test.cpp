// SPDX-License-Identifier: Apache-2.0
#include "core/cbor.hpp"

#include <functional>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string written(const std::function<void(CborWriter &)> &write) {
    Bytes out(256);
    CborWriter w(span(out));
    write(w);
    EXPECT_FALSE(w.overflowed());
    return to_hex({out.data(), w.needed});
}

// Reads exactly one item.
void read_whole(const std::string &hex) {
    const Bytes in = from_hex(hex);
    CborReader reader(view(in));
    reader.skip();
    if (!reader.done()) throw Error{Code::malformed, "trailing bytes"};
}

}  // namespace

// RFC 8949 appendix A, what the deterministic subset has of it.
TEST(Cbor, Rfc8949AppendixA) {
    const std::pair<uint64_t, const char *> numbers[] = {
        {0, "00"},
        {1, "01"},
        {10, "0a"},
        {23, "17"},
        {24, "1818"},
        {25, "1819"},
        {100, "1864"},
        {1000, "1903e8"},
        {1000000, "1a000f4240"},
        {1000000000000, "1b000000e8d4a51000"},
        {18446744073709551615u, "1bffffffffffffffff"}};
    for (const auto &[value, hex] : numbers) {
        const uint64_t number = value;
        EXPECT_EQ(written([&](CborWriter &w) { w.unsigned_int(number); }), hex);
        const Bytes in = from_hex(hex);
        const CborItem item = CborReader(view(in)).next();
        EXPECT_EQ(item.type, CborType::unsigned_int);
        EXPECT_EQ(item.value, number);
    }
    const std::pair<int64_t, const char *> negatives[] = {{-1, "20"},
                                                          {-10, "29"},
                                                          {-100, "3863"},
                                                          {-1000, "3903e7"},
                                                          {INT64_MIN, "3b7fffffffffffffff"}};
    for (const auto &[value, hex] : negatives) {
        const int64_t number = value;
        EXPECT_EQ(written([&](CborWriter &w) { w.signed_int(number); }), hex);
        const Bytes in = from_hex(hex);
        const CborItem item = CborReader(view(in)).next();
        EXPECT_EQ(item.type, CborType::negative_int);
        EXPECT_EQ(-1 - static_cast<int64_t>(item.value), number);
    }
    EXPECT_EQ(written([](CborWriter &w) { w.signed_int(1000); }), "1903e8");
    EXPECT_EQ(written([](CborWriter &w) { w.boolean(false); }), "f4");
    EXPECT_EQ(written([](CborWriter &w) { w.boolean(true); }), "f5");
    EXPECT_EQ(written([](CborWriter &w) { w.null(); }), "f6");
    EXPECT_EQ(written([](CborWriter &w) { w.bytes({}); }), "40");
    EXPECT_EQ(written([](CborWriter &w) { w.bytes(view(from_hex("01020304"))); }), "4401020304");
    EXPECT_EQ(written([](CborWriter &w) { w.text(""); }), "60");
    EXPECT_EQ(written([](CborWriter &w) { w.text("IETF"); }), "6449455446");
    EXPECT_EQ(written([](CborWriter &w) { w.text("\"\\"); }), "62225c");
    EXPECT_EQ(written([](CborWriter &w) { w.text("\u00fc"); }), "62c3bc");
    EXPECT_EQ(written([](CborWriter &w) { w.text("\u6c34"); }), "63e6b0b4");
    EXPECT_EQ(written([](CborWriter &w) { w.text("\U00010151"); }), "64f0908591");
    EXPECT_EQ(written([](CborWriter &w) { w.array(0); }), "80");
    EXPECT_EQ(written([](CborWriter &w) { w.map(0); }), "a0");
    EXPECT_EQ(written([](CborWriter &w) {
                  w.array(25);
                  for (uint64_t i = 1; i <= 25; ++i) w.unsigned_int(i);
              }),
              "98190102030405060708090a0b0c0d0e0f101112131415161718181819");
    EXPECT_EQ(written([](CborWriter &w) {
                  w.map(2);
                  w.text("a");
                  w.unsigned_int(1);
                  w.text("b");
                  w.array(2);
                  w.unsigned_int(2);
                  w.unsigned_int(3);
              }),
              "a26161016162820203");
    EXPECT_EQ(written([](CborWriter &w) {
                  w.tag(1);
                  w.raw(view(from_hex("1a514b67b0")));
              }),
              "c11a514b67b0");
    for (const char *valid :
         {"a26161016162820203", "c11a514b67b0", "a201020304", "8301820203820405",
          "98190102030405060708090a0b0c0d0e0f101112131415161718181819", "f4", "f6", "64f0908591",
          "d818456449455446", "3bffffffffffffffff"})
        read_whole(valid);
}

TEST(Cbor, RefusesWhateverIsNotDeterministic) {
    const char *refused_forms[] = {"",  // nothing
                                   "1800",
                                   "1817",
                                   "3817",  // one byte where none is needed
                                   "190000",
                                   "1900ff",
                                   "3900ff",  // two where one is enough
                                   "1a0000ffff",
                                   "1a00000000",          // four
                                   "1b00000000ffffffff",  // eight
                                   "5800",
                                   "7801 61",
                                   "9800",
                                   "b800",
                                   "d801 00",
                                   "5900 00",
                                   "1c",
                                   "1d",
                                   "1e",
                                   "3c",
                                   "fc",
                                   "fd",
                                   "fe",  // reserved heads
                                   "5f42010243030405ff",
                                   "7f657374726561646d696e67ff",
                                   "9fff",
                                   "bfff",
                                   "ff",  // indefinite
                                   "f97e00",
                                   "fa7fc00000",
                                   "fb7ff8000000000000",
                                   "f93c00",  // floats
                                   "f7",
                                   "e0",
                                   "f0",
                                   "f3",
                                   "f8ff",
                                   "f820",
                                   "f816",  // simple values
                                   "61ff",
                                   "62c080",
                                   "63eda080",
                                   "64f4908080",
                                   "61c3",
                                   "63e28228",
                                   "62c1bf",  // not UTF-8
                                   "64f0808080",
                                   "63e08080",
                                   "64f5808080",
                                   "a201000100",
                                   "a202000100",
                                   "a2616200616100",
                                   "a262616100616200",  // keys twice or unsorted
                                   "a2410000 0000",
                                   "a2200000 00",  // unsorted across types
                                   "81",
                                   "8201",
                                   "a1",
                                   "a101",
                                   "42 01",
                                   "62 61",
                                   "c1",
                                   "19 01",
                                   "1a 000100",
                                   "18",
                                   "9bffffffffffffffff",
                                   "bb7fffffffffffffff",
                                   "5bffffffffffffffff",
                                   "7b8000000000000000",
                                   "0000",
                                   "f6 00"};  // truncated, too large, trailing
    for (const char *hex : refused_forms) EXPECT_TRUE(refused([&] { read_whole(hex); })) << hex;
}

TEST(Cbor, NestingIsBounded) {
    std::string fits, deep;
    for (int i = 0; i < kMaxCborDepth; ++i) fits += "81";
    read_whole(fits + "00");
    deep = fits + "81";
    expect_error(Code::malformed, [&] { read_whole(deep + "00"); });
    std::string tags;
    for (int i = 0; i < 100000; ++i) tags += "c1";
    expect_error(Code::malformed, [&] { read_whole(tags + "00"); });
}

TEST(Cbor, ShortRoomsAreCountedNotOverrun) {
    for (size_t room = 0; room < 12; ++room) {
        Bytes out(12, 0x5a);
        CborWriter w({out.data(), room});
        w.text("abcd");
        w.unsigned_int(1000);
        w.boolean(true);
        EXPECT_EQ(w.needed, 9u);
        EXPECT_EQ(w.overflowed(), room < 9);
        EXPECT_EQ(to_hex({out.data(), room < 9 ? room : 9}),
                  std::string("64616263641903e8f5").substr(0, 2 * (room < 9 ? room : 9)));
        for (size_t i = room; i < out.size(); ++i) EXPECT_EQ(out[i], 0x5a);
    }
}

TEST(Cbor, EveryByteStringIsReadOrRefused) {
    // All strings of three bytes: no crash, and what is accepted has shortest heads.
    Bytes in(3);
    for (uint32_t v = 0; v < 1u << 24; v += 7) {
        in[0] = static_cast<uint8_t>(v >> 16);
        in[1] = static_cast<uint8_t>(v >> 8);
        in[2] = static_cast<uint8_t>(v);
        CborReader reader(view(in));
        try {
            const CborItem item = reader.next();
            if (item.type == CborType::unsigned_int) {
                const uint64_t least[] = {0, 0, 24, 256};
                ASSERT_GE(item.value, least[reader.position()]);
            }
            ASSERT_LE(reader.position(), in.size());
        } catch (const Error &error) {
            ASSERT_EQ(static_cast<int>(error.code), static_cast<int>(Code::malformed));
        }
    }
}

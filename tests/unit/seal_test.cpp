// SPDX-License-Identifier: Apache-2.0
#include "core/seal.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

SealFields sample() {
    SealFields f{};
    f.epoch = 1;
    f.number = 500;
    f.unix_micros = 1764000000123456;
    f.entries = 70000;
    f.root_size = 900;
    f.root = sha256(as_bytes("root"));
    f.previous = sha256(as_bytes("previous"));
    f.snapshot = "100:110:101,105";
    f.wal_position = 0x16b374d848;
    return f;
}

Bytes encode(const SealFields &fields) {
    Bytes out(encode_seal(fields, {}));
    EXPECT_EQ(encode_seal(fields, span(out)), out.size());
    return out;
}

}  // namespace

TEST(Seal, RoundTrips) {
    const Bytes body = encode(sample());
    const SealFields f = decode_seal(view(body));
    EXPECT_EQ(f.epoch, 1u);
    EXPECT_EQ(f.number, 500u);
    EXPECT_EQ(f.unix_micros, 1764000000123456);
    EXPECT_EQ(f.entries, 70000u);
    EXPECT_EQ(f.root_size, 900u);
    EXPECT_EQ(to_hex(f.root.view()), to_hex(sample().root.view()));
    EXPECT_EQ(to_hex(f.previous.view()), to_hex(sample().previous.view()));
    EXPECT_EQ(f.snapshot, "100:110:101,105");
    EXPECT_EQ(f.wal_position, 0x16b374d848u);
    EXPECT_EQ(encode(f), body);
    EXPECT_EQ(to_hex(seal_hash(view(body)).view()), to_hex(sha256(view(body)).view()));

    SealFields first{};
    first.unix_micros = -1;
    const Bytes smallest = encode(first);
    EXPECT_EQ(decode_seal(view(smallest)).unix_micros, -1);
}

TEST(Seal, EveryByteValueIsRefusedOrMeansItself) {
    Bytes body = encode(sample());
    for (size_t at = 0; at < body.size(); ++at) {
        const uint8_t kept = body[at];
        for (int value = 0; value < 256; ++value) {
            body[at] = static_cast<uint8_t>(value);
            try {
                ASSERT_EQ(encode(decode_seal(view(body))), body) << at << " " << value;
            } catch (const Error &error) {
                ASSERT_EQ(static_cast<int>(error.code), static_cast<int>(Code::malformed));
            }
        }
        body[at] = kept;
    }
    for (size_t size = 0; size < body.size(); ++size)
        expect_error(Code::malformed, [&] { decode_seal({body.data(), size}); });
    body.push_back(0xf6);
    expect_error(Code::malformed, [&] { decode_seal(view(body)); });
}

TEST(Seal, RefusesOtherShapes) {
    const Bytes good = encode(sample());
    const auto with = [&](size_t at, uint8_t value) {
        Bytes bad = good;
        bad[at] = value;
        expect_error(Code::malformed, [&] { decode_seal(view(bad)); });
    };
    with(0, 0x89);
    with(0, 0x8b);
    with(0, 0xaa);
    with(13, '2');   // aegis/seal/2
    with(14, 0x20);  // a negative epoch
}

TEST(HeadLeaf, CommitsToEverything) {
    const Bytes log(32, 1), other(32, 2);
    const Digest root = sha256(as_bytes("root")), another = sha256(as_bytes("another"));
    const std::string leaf = to_hex(head_leaf(view(log), 5, root).view());
    EXPECT_NE(leaf, to_hex(head_leaf(view(other), 5, root).view()));
    EXPECT_NE(leaf, to_hex(head_leaf(view(log), 6, root).view()));
    EXPECT_NE(leaf, to_hex(head_leaf(view(log), 5, another).view()));
    const std::string data =
        to_hex(as_bytes(kHeadType)) + to_hex(view(log)) + "0000000000000005" + to_hex(root.view());
    EXPECT_EQ(leaf, to_hex(merkle_leaf(view(from_hex(data))).view()));
    expect_error(Code::invalid_argument, [&] { head_leaf({log.data(), 31}, 5, root); });
}

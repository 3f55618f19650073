// SPDX-License-Identifier: Apache-2.0
#include "core/entry.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const Bytes kTenant(16, 0x11), kUser(16, 0x22), kSession(16, 0x33), kOrigin(70, 0x44);
// {"n": 1, "s": "x", "ok": true}: sorted by encoded key, so shorter keys come first.
const Bytes kDetail = from_hex("a3616e01617361 78626f6bf5");
// {0: "app.invoice", 1: "U", 2: {"id": 7}, 3: {"n": 1}, 4: {"n": 2}, 5: h'0102'}
const Bytes kImage = from_hex(
    "a6 00 6b6170702e696e766f696365 01 6155 02 a162696407 03 a1616e01 04 a1616e02 "
    "05 420102");

EntryFields full() {
    EntryFields f;
    f.epoch = 1;
    f.tenant = view(kTenant);
    f.event = "invoice.sent";
    f.unix_micros = 1764000000123456;
    f.outcome = Outcome::denied;
    f.session_user = "gateway";
    f.user = view(kUser);
    f.session = view(kSession);
    f.rank = 3;
    f.way = 1;
    f.job = 12;
    f.request_id = "r-1";
    f.origin = view(kOrigin);
    f.target_kind = "invoice";
    f.target_id = "7";
    f.detail = view(kDetail);
    f.image = view(kImage);
    f.xid = 12345678901;
    f.ordinal = 2;
    return f;
}

EntryFields least() {
    EntryFields f;
    f.event = "system.started";
    return f;
}

Bytes encode(const EntryFields &fields) {
    Bytes out(encode_entry(fields, {}));
    EXPECT_EQ(encode_entry(fields, span(out)), out.size());
    return out;
}

}  // namespace

TEST(Entry, RoundTripsEveryField) {
    const Bytes body = encode(full());
    const EntryFields f = decode_entry(view(body));
    EXPECT_EQ(f.epoch, 1u);
    EXPECT_EQ(to_hex(f.tenant), to_hex(view(kTenant)));
    EXPECT_EQ(f.event, "invoice.sent");
    EXPECT_EQ(f.unix_micros, 1764000000123456);
    EXPECT_EQ(f.outcome, Outcome::denied);
    EXPECT_EQ(f.session_user, "gateway");
    EXPECT_EQ(to_hex(f.user), to_hex(view(kUser)));
    EXPECT_EQ(to_hex(f.session), to_hex(view(kSession)));
    EXPECT_EQ(f.rank, 3);
    EXPECT_EQ(f.way, 1);
    EXPECT_EQ(f.job, 12u);
    EXPECT_EQ(f.request_id, "r-1");
    EXPECT_EQ(to_hex(f.origin), to_hex(view(kOrigin)));
    EXPECT_EQ(f.target_kind, "invoice");
    EXPECT_EQ(f.target_id, "7");
    EXPECT_EQ(to_hex(f.detail), to_hex(view(kDetail)));
    EXPECT_EQ(to_hex(f.image), to_hex(view(kImage)));
    EXPECT_EQ(f.xid, 12345678901u);
    EXPECT_EQ(f.ordinal, 2u);
    EXPECT_EQ(encode(f), body);
}

TEST(Entry, AbsentPartsAreLeftOut) {
    const Bytes body = encode(least());
    // {0: "aegis/entry/1", 1: 0, 3: "system.started", 4: 0, 5: 0}
    EXPECT_EQ(to_hex(view(body)),
              "a5006d61656769732f656e7472792f310100036e73797374656d2e737461727465640"
              "4000500");
    EXPECT_EQ(encode(decode_entry(view(body))), body);

    EntryFields f = least();
    f.detail = view(from_hex("a0"));
    const Bytes empty = from_hex("a0");
    f.detail = view(empty);
    f.image = view(empty);
    EXPECT_EQ(encode(f), body);

    f = least();
    f.unix_micros = INT64_MIN;
    f.target_id = "7";
    f.job = UINT64_MAX;
    const Bytes extremes = encode(f);
    const EntryFields back = decode_entry(view(extremes));
    EXPECT_EQ(back.unix_micros, INT64_MIN);
    EXPECT_EQ(back.target_kind, "");
    EXPECT_EQ(back.job, UINT64_MAX);
}

TEST(Entry, ShortRoomsAreCountedNotOverrun) {
    const Bytes body = encode(full());
    for (size_t room = 0; room <= body.size(); room += 3) {
        Bytes out(body.size(), 0x5a);
        EXPECT_EQ(encode_entry(full(), {out.data(), room}), body.size());
        for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i < room ? body[i] : 0x5a);
    }
}

// One meaning has one spelling: what is read is exactly what would be written.
TEST(Entry, EveryBitFlipIsRefusedOrMeansItself) {
    for (const EntryFields &fields : {full(), least()}) {
        Bytes body = encode(fields);
        const std::string leaf = to_hex(leaf_hash(view(body)).view());
        for (size_t bit = 0; bit < body.size() * 8; ++bit) {
            body[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_NE(to_hex(leaf_hash(view(body)).view()), leaf);
            try {
                const EntryFields f = decode_entry(view(body));
                ASSERT_EQ(to_hex(view(encode(f))), to_hex(view(body))) << bit;
            } catch (const Error &error) {
                EXPECT_EQ(static_cast<int>(error.code), static_cast<int>(Code::malformed));
            }
            body[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
        for (size_t size = 0; size < body.size(); ++size)
            expect_error(Code::malformed, [&] { decode_entry({body.data(), size}); });
        body.push_back(0);
        expect_error(Code::malformed, [&] { decode_entry(view(body)); });
    }
}

TEST(Entry, EveryByteValueIsRefusedOrMeansItself) {
    Bytes body = encode(full());
    for (size_t at = 0; at < body.size(); ++at) {
        const uint8_t kept = body[at];
        for (int value = 0; value < 256; ++value) {
            body[at] = static_cast<uint8_t>(value);
            try {
                ASSERT_EQ(encode(decode_entry(view(body))), body) << at << " " << value;
            } catch (const Error &) {
            }
        }
        body[at] = kept;
    }
}

TEST(Entry, RefusesWhatNoWriterWrites) {
    const std::string type = "006d61656769732f656e7472792f31", start = type + "0101",
                      rest =
                          "036161"
                          "0400"
                          "0500";
    const auto decode = [](const std::string &hex) {
        const Bytes body = from_hex(hex);
        decode_entry(view(body));
    };
    decode("a5" + start + rest);
    const std::string bad[] = {
        "a4" + start + "0361610400",  // no outcome
        "a4" + type + rest,           // no epoch
        "a4"
        "0101" +
            rest,  // no type
        "a5"
        "006d61656769732f656e7472792f32"
        "0101" +
            rest,  // another version
        "a5" + start +
            "0360"
            "0400"
            "0500",  // empty event
        "a5" + start +
            "036161"
            "0400"
            "0503",  // unknown outcome
        "a5" + start +
            "036161"
            "041bffffffffffffffff"
            "0500",
        "a5" + start +
            "0400"
            "036161"
            "0500",                    // unsorted
        "a6" + start + "0101" + rest,  // a key twice
        "a6" + start + rest + "0e00",  // an unknown key
        "a6" + start + rest + "20f6",  // a key of another type
        "a6" + start + "0240" + rest,  // empty tenant
        "a6" + start + "024f" + std::string(30, '1') + rest,
        "a6" + start + rest + "06a0",  // empty actor
        "a6" + start + rest + "06a10060",
        "a6" + start + rest + "06a10300",  // rank 0 is left out
        "a6" + start + rest + "06a1031b0000000080000000",
        "a6" + start + rest + "06a10600",
        "a6" + start + rest + "06a203010301",
        "a6" + start + rest + "06a204010301",
        "a6" + start + rest + "0760",
        "a6" + start + rest + "0840",
        "a6" + start + rest + "09826060",
        "a6" + start + rest + "09816161",
        "a6" + start + rest + "0983616161616161",
        "a6" + start + rest + "0aa0",
        "a6" + start + rest + "0aa10001",    // detail keys are texts
        "a6" + start + rest + "0aa16161f6",  // no null
        "a6" + start + rest + "0aa1616180",  // nothing nested
        "a6" + start + rest + "0aa1616ba0",
        "a6" + start + rest + "0aa1616bc100",
        "a6" + start + rest + "0aa26162016161 02",  // unsorted
        "a6" + start + rest + "0a80",
        "a6" + start + rest + "0ba0",
        "a6" + start + rest + "0ba1006161",            // no operation
        "a6" + start + rest + "0ba1016149",            // no relation
        "a6" + start + rest + "0ba2006161016158",      // operation X
        "a6" + start + rest + "0ba2006001 6149",       // empty relation
        "a6" + start + rest + "0ba30061610161490200",  // primary key is no map
        "a6" + start + rest + "0ba30061610161490600",  // unknown part
        "a6" + start + rest + "0ba30061610161490540",
        "a6" + start + rest + "0ba300616101614902a2616201616102",
        "a6" + start + rest + "0c00",
        "a6" + start + rest + "0d00",
        "a6" + start + rest + "0d1b0000000100000000",
        "85" + start + rest,
        "f6",
    };
    for (const std::string &hex : bad) expect_error(Code::malformed, [&] { decode(hex); });
}

TEST(Entry, LeafIsRfc6962) {
    const Bytes body = encode(least());
    Bytes prefixed = body;
    prefixed.insert(prefixed.begin(), 0);
    EXPECT_EQ(to_hex(leaf_hash(view(body)).view()), to_hex(sha256(view(prefixed)).view()));
}

// SPDX-License-Identifier: Apache-2.0
#include "core/keyring.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const std::string kDigits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string kOther = "f00102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";

Keyring parse(const std::string &text) {
    Keyring ring;
    parse_keyring(text, &ring);
    return ring;
}

MasterKey test_master(uint32_t version) {
    MasterKey master{version, {}};
    for (uint8_t i = 0; i < 32; ++i) master.key[i] = i;
    return master;
}

}  // namespace

TEST(Keyring, ReadsLinesCommentsAndBlanks) {
    const Keyring one = parse("1:" + kDigits);
    EXPECT_EQ(one.count, 1);
    EXPECT_EQ(one.keys[0].version, 1u);
    EXPECT_EQ(to_hex(one.keys[0].key), kDigits);

    const Keyring two =
        parse("# made for the test\r\n\n  12:" + kOther + " \r\n\t# old\n7:" + kDigits + "\n\n");
    EXPECT_EQ(two.count, 2);
    EXPECT_EQ(two.keys[0].version, 7u);
    EXPECT_EQ(two.keys[1].version, 12u);
    EXPECT_EQ(two.keys[1].key[0], 0xf0);
    EXPECT_EQ(parse("2147483647:" + kDigits).keys[0].version, 2147483647u);
}

TEST(Keyring, RefusesEveryOtherText) {
    const std::string faults[] = {
        "",
        "\n\n",
        "# nothing",
        kDigits,
        "1=" + kDigits,
        ":" + kDigits,
        "0:" + kDigits,
        "01:" + kDigits,
        "-1:" + kDigits,
        "+1:" + kDigits,
        "1 :" + kDigits,
        "1: " + kDigits,
        "x:" + kDigits,
        "2147483648:" + kDigits,
        "99999999999999999999999:" + kDigits,
        "1:" + kDigits.substr(1),
        "1:" + kDigits + "0",
        "1:" + kDigits.substr(1) + "g",
        "1:" + kDigits + " # comment",
        "1:" + std::string(64, '0'),
        "1:" + std::string(64, 'f'),
        "1:" + kDigits + "\n1:" + kOther,
        "1:" + kDigits + "\nrubbish",
        "1:" + kDigits + "\n2:" + kOther + "\n1:" + kOther,
        "1:" + kDigits + std::string(1, '\0'),
    };
    for (const std::string &text : faults) expect_error(Code::malformed, [&] { parse(text); });
}

TEST(Keyring, HoldsEightVersionsAndLeavesTheTargetAloneOnFailure) {
    std::string text;
    for (int version = 8; version >= 1; --version)
        text += std::to_string(version) + ":" + kDigits + "\n";
    const Keyring eight = parse(text);
    EXPECT_EQ(eight.count, 8);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(eight.keys[i].version, static_cast<uint32_t>(i + 1));
    Keyring ring = parse("3:" + kDigits);
    expect_error(Code::too_long, [&] { parse_keyring(text + "9:" + kDigits, &ring); });
    EXPECT_EQ(ring.count, 1);
    EXPECT_EQ(ring.keys[0].version, 3u);
}

TEST(Keyring, MessagesHoldNoKey) {
    for (const std::string &text : {"1:" + kDigits + "0", "1:" + kDigits + "\n1:" + kOther}) {
        try {
            parse(text);
            FAIL();
        } catch (const Error &error) {
            EXPECT_EQ(std::string(error.message).find("0001020304"), std::string::npos);
        }
    }
}

TEST(Keyring, NamesTheLineAtFault) {
    Keyring ring;
    int line = -1;
    parse_keyring("1:" + kDigits, &ring, &line);
    EXPECT_EQ(line, 0);
    EXPECT_THROW(parse_keyring("# \xc3\xa9\n\n1:" + kDigits + "\n2:\xff" + kDigits, &ring, &line),
                 Error);
    EXPECT_EQ(line, 4);
    EXPECT_THROW(parse_keyring("# nothing\n\n", &ring, &line), Error);
    EXPECT_EQ(line, 0);
    EXPECT_EQ(ring.keys[0].version, 1u);
}

TEST(MasterKey, CheckValueDependsOnKeyAndVersion) {
    uint8_t a[kCheckValueBytes], b[kCheckValueBytes], c[kCheckValueBytes];
    master_check_value(test_master(1), a);
    master_check_value(test_master(2), b);
    MasterKey other = test_master(1);
    other.key[31] ^= 1;
    master_check_value(other, c);
    EXPECT_NE(to_hex(a), to_hex(b));
    EXPECT_NE(to_hex(a), to_hex(c));
}

TEST(WrappedRoot, OpensOnlyWhereItWasMade) {
    const MasterKey master = test_master(1);
    const Bytes salt(32, 3), tenant(16, 4), root(32, 5);
    uint8_t wrapped[kWrappedRootBytes], again[kWrappedRootBytes], out[kKeyBytes];
    wrap_root(master, view(salt), view(tenant), 1, view(root), wrapped);
    wrap_root(master, view(salt), view(tenant), 1, view(root), again);
    EXPECT_NE(to_hex(wrapped), to_hex(again));
    unwrap_root(master, view(salt), view(tenant), 1, wrapped, out);
    EXPECT_EQ(to_hex(out), to_hex(view(root)));
    unwrap_root(master, view(salt), view(tenant), 1, again, out);
    EXPECT_EQ(to_hex(out), to_hex(view(root)));

    const auto cannot_open = [&](const MasterKey &m, const Bytes &s, const Bytes &t, uint32_t epoch,
                                 ByteView w) {
        memset(out, 0x77, sizeof out);
        expect_error(Code::cannot_open, [&] { unwrap_root(m, view(s), view(t), epoch, w, out); });
    };
    for (size_t bit = 0; bit < kWrappedRootBytes * 8; ++bit) {
        Bytes changed(wrapped, wrapped + kWrappedRootBytes);
        changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        cannot_open(master, salt, tenant, 1, view(changed));
        EXPECT_EQ(to_hex(out), std::string(64, '0'));
    }
    for (size_t size = 0; size < kWrappedRootBytes; ++size)
        cannot_open(master, salt, tenant, 1, {wrapped, size});
    MasterKey other = master;
    other.key[0] ^= 1;
    cannot_open(other, salt, tenant, 1, wrapped);
    cannot_open(test_master(2), salt, tenant, 1, wrapped);
    cannot_open(master, Bytes(32, 9), tenant, 1, wrapped);
    cannot_open(master, Bytes(31, 3), tenant, 1, wrapped);
    cannot_open(master, salt, Bytes(16, 9), 1, wrapped);
    cannot_open(master, salt, tenant, 2, wrapped);
    for (size_t size : {0, 31, 33}) {
        expect_error(Code::invalid_argument, [&] {
            wrap_root(master, view(salt), view(tenant), 1, view(Bytes(size)), again);
        });
        expect_error(Code::invalid_argument, [&] {
            wrap_root(master, view(Bytes(size)), view(tenant), 1, view(root), again);
        });
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"

#include <thread>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string hmac_hex(const Bytes &key, const Bytes &message) {
    return to_hex(hmac_sha256(view(key), view(message)).view());
}

}  // namespace

TEST(Sha256, Fips180Examples) {
    EXPECT_EQ(to_hex(sha256(ByteView()).view()),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256(as_bytes("abc")).view()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(
        to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).view()),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    const std::string million(1000000, 'a');
    EXPECT_EQ(to_hex(sha256(as_bytes(million)).view()),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsAreConcatenated) {
    const ByteView parts[] = {as_bytes("a"), {}, as_bytes("bc")};
    EXPECT_EQ(to_hex(sha256(parts, 3).view()), to_hex(sha256(as_bytes("abc")).view()));
    EXPECT_EQ(to_hex(sha256(as_bytes("ab"), as_bytes("c")).view()),
              to_hex(sha256(as_bytes("abc")).view()));
}

TEST(Sha256, ThreadsDoNotShareAContext) {
    const std::string expected = to_hex(sha256(as_bytes("abc")).view());
    std::vector<std::thread> threads;
    int wrong[4] = {};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2000; ++i)
                if (to_hex(sha256(as_bytes("abc")).view()) != expected) ++wrong[t];
        });
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(wrong[0] + wrong[1] + wrong[2] + wrong[3], 0);
}

// RFC 4231, test cases 1 to 7 (5 is truncated to 128 bits).
TEST(HmacSha256, Rfc4231) {
    EXPECT_EQ(hmac_hex(Bytes(20, 0x0b), bytes_of(std::string_view("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hmac_hex(bytes_of(std::string_view("Jefe")),
                       bytes_of(std::string_view("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hmac_hex(Bytes(20, 0xaa), Bytes(50, 0xdd)),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(
        hmac_hex(from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Bytes(50, 0xcd)),
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    EXPECT_EQ(
        hmac_hex(Bytes(20, 0x0c), bytes_of(std::string_view("Test With Truncation"))).substr(0, 32),
        "a3b6167473100ee06e0c796c2955552b");
    EXPECT_EQ(
        hmac_hex(Bytes(131, 0xaa), bytes_of(std::string_view(
                                       "Test Using Larger Than Block-Size Key - Hash Key First"))),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(
        hmac_hex(Bytes(131, 0xaa),
                 bytes_of(std::string_view(
                     "This is a test using a larger than block-size key and a larger than "
                     "block-size data. The key needs to be hashed before being used by the HMAC "
                     "algorithm."))),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(HmacSha256, EmptyKeyAndMessage) {
    EXPECT_EQ(to_hex(hmac_sha256({}, ByteView()).view()),
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// A kept key gives what the one-shot function gives, message after message, for keys and messages
// on both sides of a block.
TEST(HmacSha256, KeptKeyGivesTheSame) {
    for (const size_t key_bytes : {0, 1, 32, 63, 64, 65, 131}) {
        const Bytes bytes(key_bytes, 0x5a);
        const HmacKey key(view(bytes));
        for (const size_t size : {0, 1, 38, 55, 56, 63, 64, 65, 1000}) {
            const Bytes message(size, 0xc3);
            EXPECT_EQ(to_hex(key.digest(view(message)).view()), hmac_hex(bytes, message))
                << key_bytes << " " << size;
        }
    }
}

TEST(HmacSha256, PartsAreConcatenatedUpToALimit) {
    const ByteView parts[] = {as_bytes("Hi"), as_bytes(" "), {}, as_bytes("There")};
    const Bytes key(20, 0x0b);
    EXPECT_EQ(to_hex(hmac_sha256(view(key), parts, 4).view()),
              to_hex(hmac_sha256(view(key), as_bytes("Hi There")).view()));
    const ByteView many[kMaxHmacParts + 1] = {};
    expect_error(Code::invalid_argument,
                 [&] { (void)hmac_sha256(view(key), many, kMaxHmacParts + 1); });
}

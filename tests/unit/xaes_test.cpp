// SPDX-License-Identifier: Apache-2.0
#include "core/xaes.hpp"

#include <openssl/evp.h>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

constexpr std::string_view kNonce = "ABCDEFGHIJKLMNOPQRSTUVWX";

Bytes seal(const Xaes &key, ByteView nonce, ByteView associated, ByteView plaintext) {
    Bytes out(plaintext.size + kXaesTagBytes);
    key.seal(nonce, associated, plaintext, span(out));
    return out;
}

Bytes open(const Xaes &key, ByteView nonce, ByteView associated, ByteView sealed) {
    Bytes out(sealed.size - kXaesTagBytes);
    key.open(nonce, associated, sealed, span(out));
    return out;
}

}  // namespace

TEST(Xaes, C2spVectors) {
    const Xaes one(Key32(view(Bytes(32, 1)))), three(Key32(view(Bytes(32, 3))));
    const Bytes first = seal(one, as_bytes(kNonce), {}, as_bytes("XAES-256-GCM"));
    EXPECT_EQ(to_hex(view(first)), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    const Bytes second =
        seal(three, as_bytes(kNonce), as_bytes("c2sp.org/XAES-256-GCM"), as_bytes("XAES-256-GCM"));
    EXPECT_EQ(to_hex(view(second)), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    EXPECT_EQ(open(one, as_bytes(kNonce), {}, view(first)), bytes_of("XAES-256-GCM"));
    EXPECT_EQ(open(three, as_bytes(kNonce), as_bytes("c2sp.org/XAES-256-GCM"), view(second)),
              bytes_of("XAES-256-GCM"));
}

// C2SP's accumulated test: keys, nonces, plaintexts and associated data come from SHAKE-128(""),
// and all ciphertexts together are hashed with SHAKE-128. It covers both values of the doubling's
// carry.
TEST(Xaes, C2spAccumulatedTenThousand) {
    Bytes stream(6000000);
    EVP_MD_CTX *shake = EVP_MD_CTX_new();
    ASSERT_EQ(EVP_DigestInit_ex(shake, EVP_shake128(), nullptr), 1);
    ASSERT_EQ(EVP_DigestFinalXOF(shake, stream.data(), stream.size()), 1);
    size_t at = 0;
    const auto take = [&](size_t size) {
        const ByteView taken(stream.data() + at, size);
        at += size;
        return taken;
    };
    ASSERT_EQ(EVP_DigestInit_ex(shake, EVP_shake128(), nullptr), 1);
    for (int i = 0; i < 10000; ++i) {
        const Xaes key{Key32(take(32))};
        const ByteView nonce = take(kXaesNonceBytes);
        const ByteView plaintext = take(take(1).data[0]);
        const ByteView associated = take(take(1).data[0]);
        const Bytes sealed = seal(key, nonce, associated, plaintext);
        ASSERT_EQ(open(key, nonce, associated, view(sealed)), bytes_of(plaintext));
        ASSERT_EQ(EVP_DigestUpdate(shake, sealed.data(), sealed.size()), 1);
    }
    uint8_t sum[32];
    ASSERT_EQ(EVP_DigestFinalXOF(shake, sum, sizeof sum), 1);
    EVP_MD_CTX_free(shake);
    EXPECT_EQ(to_hex(sum), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

TEST(Xaes, OneObjectSealsAndOpensInAnyOrder) {
    const Xaes key(Key32(view(test_key())));
    for (size_t size : {0, 1, 15, 16, 17, 31, 32, 33, 255, 8192, 2000003}) {
        const Bytes plaintext(size, 0x5a), nonce(24, static_cast<uint8_t>(size));
        const Bytes sealed = seal(key, view(nonce), as_bytes("ad"), view(plaintext));
        EXPECT_EQ(open(key, view(nonce), as_bytes("ad"), view(sealed)), plaintext);
        EXPECT_EQ(seal(key, view(nonce), as_bytes("ad"), view(plaintext)), sealed);
    }
}

TEST(Xaes, EveryBitMatters) {
    const Xaes key(Key32(view(test_key())));
    const Bytes nonce = bytes_of(kNonce), associated = bytes_of(std::string_view("tenant"));
    const Bytes sealed = seal(key, view(nonce), view(associated), as_bytes("a secret"));
    const auto cannot_open = [&](const Bytes &n, const Bytes &a, const Bytes &s) {
        expect_error(Code::cannot_open, [&] { open(key, view(n), view(a), view(s)); });
    };
    const auto flip_each = [](Bytes bytes, auto &&check) {
        for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            check(bytes);
            bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
    };
    flip_each(nonce, [&](const Bytes &n) { cannot_open(n, associated, sealed); });
    flip_each(associated, [&](const Bytes &a) { cannot_open(nonce, a, sealed); });
    flip_each(sealed, [&](const Bytes &s) { cannot_open(nonce, associated, s); });
    cannot_open(nonce, {}, sealed);
    flip_each(test_key(), [&](const Bytes &k) {
        const Xaes other{Key32(view(k))};
        expect_error(Code::cannot_open,
                     [&] { open(other, view(nonce), view(associated), view(sealed)); });
    });
    for (size_t size = kXaesTagBytes; size < sealed.size(); ++size)
        cannot_open(nonce, associated, Bytes(sealed.begin(), sealed.begin() + size));
    EXPECT_EQ(open(key, view(nonce), view(associated), view(sealed)),
              bytes_of(std::string_view("a secret")));
}

TEST(Xaes, AFailedOpeningLeavesNoPlaintext) {
    const Xaes key(Key32(view(test_key())));
    Bytes sealed = seal(key, as_bytes(kNonce), {}, as_bytes("a secret"));
    sealed.back() ^= 1;
    Bytes out(8, 0x77);
    expect_error(Code::cannot_open,
                 [&] { key.open(as_bytes(kNonce), {}, view(sealed), span(out)); });
    EXPECT_EQ(out, Bytes(8, 0));
}

TEST(Xaes, RefusesWrongSizes) {
    const Xaes key(Key32(view(test_key())));
    Bytes out(28);
    const Bytes nonce(23);
    expect_error(Code::invalid_argument,
                 [&] { key.seal(view(nonce), {}, as_bytes("XAES-256-GCM"), span(out)); });
    expect_error(Code::invalid_argument,
                 [&] { key.seal(as_bytes(kNonce), {}, as_bytes("XAES-256-GC"), span(out)); });
    expect_error(Code::cannot_open, [&] {
        key.open(view(nonce), {}, view(Bytes(28)), {out.data(), 12});
    });
    expect_error(Code::cannot_open, [&] {
        key.open(as_bytes(kNonce), {}, view(Bytes(15)), {out.data(), 0});
    });
    expect_error(Code::cannot_open, [&] {
        key.open(as_bytes(kNonce), {}, view(Bytes(28)), {out.data(), 13});
    });
}

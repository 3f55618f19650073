// SPDX-License-Identifier: Apache-2.0
#include "core/gcm.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, as
// submitted to NIST: all with a key of 256 bits and a nonce of 96.
constexpr char kKey[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr char kNonce[] = "cafebabefacedbaddecaf888";
constexpr char kPlaintext[] =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
constexpr char kCiphertext[] =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

struct Case {
    std::string key, nonce, associated, plaintext, ciphertext, tag;
};

const Case kCases[] = {
    {std::string(64, '0'), std::string(24, '0'), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {std::string(64, '0'), std::string(24, '0'), "", std::string(32, '0'),
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {kKey, kNonce, "", kPlaintext, kCiphertext, "b094dac5d93471bdec1a502270e3cc6c"},
    {kKey, kNonce, "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     std::string(kPlaintext, sizeof kPlaintext - 9),
     std::string(kCiphertext, sizeof kCiphertext - 9), "76fc6ece0f4e1768cddf8853bb2d551b"},
};

Bytes seal(const Gcm &gcm, const Case &c) {
    const Bytes plaintext = from_hex(c.plaintext);
    Bytes out(plaintext.size() + kGcmTagBytes);
    gcm.seal(view(from_hex(c.key)), view(from_hex(c.nonce)), view(from_hex(c.associated)),
             view(plaintext), span(out));
    return out;
}

bool opens(const Gcm &gcm, const Case &c, const Bytes &sealed, const Bytes &associated) {
    Bytes out(sealed.size() < kGcmTagBytes ? 0 : sealed.size() - kGcmTagBytes, 0xff);
    try {
        gcm.open(view(from_hex(c.key)), view(from_hex(c.nonce)), view(associated), view(sealed),
                 span(out), "no");
    } catch (const Error &error) {
        EXPECT_EQ(error.code, Code::cannot_open);
        EXPECT_EQ(out, Bytes(out.size(), 0)) << "what was not authentic is wiped";
        return false;
    }
    EXPECT_EQ(to_hex(view(out)), c.plaintext);
    return true;
}

}  // namespace

TEST(Gcm, VectorsSubmittedToNist) {
    const Gcm gcm;  // one object for all keys
    for (const Case &c : kCases) {
        const Bytes sealed = seal(gcm, c);
        EXPECT_EQ(to_hex(view(sealed)), c.ciphertext + c.tag);
        EXPECT_TRUE(opens(gcm, c, sealed, from_hex(c.associated)));
    }
}

TEST(Gcm, EveryChangedBitAndEveryCutIsRefused) {
    const Gcm gcm;
    for (const Case &c : kCases) {
        const Bytes sealed = seal(gcm, c), associated = from_hex(c.associated);
        for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
            Bytes changed = sealed;
            changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_FALSE(opens(gcm, c, changed, associated));
        }
        for (size_t size = 0; size < sealed.size(); ++size)
            EXPECT_FALSE(opens(gcm, c, Bytes(sealed.begin(), sealed.begin() + size), associated));
        for (size_t bit = 0; bit < 8 * associated.size(); ++bit) {
            Bytes changed = associated;
            changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_FALSE(opens(gcm, c, sealed, changed));
        }
        EXPECT_TRUE(opens(gcm, c, sealed, associated));
    }
}

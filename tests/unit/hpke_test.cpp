// SPDX-License-Identifier: Apache-2.0
#include "core/hpke.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// RFC 9180, appendix A.1.1: base mode, X25519, HKDF-SHA256.
const char *const kInfo = "4f6465206f6e2061204772656369616e2055726e";
const char *const kEphemeral = "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736";
const char *const kEncapsulated =
    "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431";
const char *const kPrivate = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8";
const char *const kPublic = "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d";
const char *const kPlaintext = "4265617574792069732074727574682c20747275746820626561757479";

struct Sealed {
    Bytes encapsulated = Bytes(kHpkeKeyBytes), sealed;
};

Sealed seal(HpkeAead aead) {
    const Bytes plaintext = from_hex(kPlaintext);
    Sealed out;
    out.sealed.resize(plaintext.size() + kHpkeOverheadBytes);
    const Key32 ephemeral(view(from_hex(kEphemeral)));
    hpke_seal_with(ephemeral, aead, view(from_hex(kPublic)), view(from_hex(kInfo)),
                   as_bytes("Count-0"), view(plaintext), span(out.encapsulated), span(out.sealed));
    return out;
}

Bytes open(const Sealed &sealed, const std::string &info = kInfo, const char *aad = "Count-0",
           const char *key = kPrivate) {
    Bytes out(sealed.sealed.size() - kHpkeOverheadBytes);
    hpke_open(Key32(view(from_hex(key))), view(sealed.encapsulated), view(from_hex(info)),
              as_bytes(aad), view(sealed.sealed), span(out));
    return out;
}

}  // namespace

TEST(Hpke, Rfc9180AppendixA) {
    const Sealed made = seal(HpkeAead::aes_128_gcm);
    EXPECT_EQ(to_hex(view(made.encapsulated)), kEncapsulated);
    EXPECT_EQ(to_hex(view(made.sealed)),
              "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e1"
              "3c512a");
    uint8_t key[kHpkeKeyBytes];
    hpke_public_key(Key32(view(from_hex(kPrivate))), key);
    EXPECT_EQ(to_hex(key), kPublic);
}

// The value is the independent reader's (tests/independent/aegis_hpke.py).
TEST(Hpke, Aes256GcmOpensWhatItSealed) {
    const Sealed made = seal(HpkeAead::aes_256_gcm);
    EXPECT_EQ(to_hex(view(made.sealed)),
              "090b7dc225419f7da9e8b460becfbb96a26c7964d79b8010d397fa838530a32a397b14f5776db19ff5e5"
              "7734e0");
    EXPECT_EQ(to_hex(view(open(made))), kPlaintext);
}

TEST(Hpke, EverySealIsAnother) {
    const Bytes plaintext = from_hex(kPlaintext);
    Sealed made[2];
    for (Sealed &one : made) {
        one.sealed.resize(plaintext.size() + kHpkeOverheadBytes);
        hpke_seal(view(from_hex(kPublic)), view(from_hex(kInfo)), as_bytes("Count-0"),
                  view(plaintext), span(one.encapsulated), span(one.sealed));
        EXPECT_EQ(open(one), plaintext);
    }
    EXPECT_NE(made[0].encapsulated, made[1].encapsulated);
    EXPECT_NE(made[0].sealed, made[1].sealed);
}

TEST(Hpke, RefusesEveryChangedBit) {
    const Sealed made = seal(HpkeAead::aes_256_gcm);
    for (size_t bit = 0; bit < made.sealed.size() * 8; ++bit) {
        Sealed changed = made;
        changed.sealed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        expect_error(Code::cannot_open, [&] { open(changed); });
    }
    for (size_t bit = 0; bit < made.encapsulated.size() * 8; ++bit) {
        Sealed changed = made;
        changed.encapsulated[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        // The top bit is ignored by X25519, and still part of what is derived from.
        expect_error(Code::cannot_open, [&] { open(changed); });
    }
}

TEST(Hpke, RefusesOtherKeysInfoAndContext) {
    const Sealed made = seal(HpkeAead::aes_256_gcm);
    expect_error(Code::cannot_open, [&] { open(made, kInfo, "Count-1"); });
    expect_error(Code::cannot_open, [&] { open(made, "00"); });
    expect_error(Code::cannot_open, [&] { open(made, kInfo, "Count-0", kEphemeral); });
}

TEST(Hpke, RefusesPointsOfSmallOrder) {
    const Bytes plaintext = from_hex(kPlaintext);
    for (const char *point : {"0000000000000000000000000000000000000000000000000000000000000000",
                              "0100000000000000000000000000000000000000000000000000000000000000",
                              "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"}) {
        Sealed made;
        made.sealed.resize(plaintext.size() + kHpkeOverheadBytes);
        expect_error(Code::malformed, [&] {
            hpke_seal(view(from_hex(point)), {}, {}, view(plaintext), span(made.encapsulated),
                      span(made.sealed));
        });
    }
}

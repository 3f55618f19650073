// SPDX-License-Identifier: Apache-2.0
// C2SP XAES-256-GCM:
//   L = AES-256_K(0^128), K1 = double(L), M_i = 00 0i 'X' 00 || N[0:12]
//   subkey = AES-256_K(M_1 ^ K1) || AES-256_K(M_2 ^ K1), then AES-256-GCM(subkey, N[12:24])
#include "core/xaes.hpp"

#include <new>

#include "core/gcm.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBlockBytes = 16;
constexpr size_t kHalfNonceBytes = kXaesNonceBytes / 2;
constexpr size_t kPrefixBytes = kBlockBytes - kHalfNonceBytes;
static_assert(kHalfNonceBytes == kGcmNonceBytes && kXaesTagBytes == kGcmTagBytes);
constexpr char kCannotOpen[] = "cannot open sealed value";

const CipherDispatch &aes_256() {
    static const CipherDispatch cipher("AES-256-ECB", "AES-256 is not available");
    return cipher;
}

}  // namespace

struct Xaes::State {
    const CipherDispatch &aes = aes_256();
    ProviderContext blocks = aes.make_context();  // under the key, for subkeys
    Gcm gcm;                                      // under a new key for every message
    uint64_t masks[4];                            // M_1 ^ K1, M_2 ^ K1 under a nonce of zeros

    ByteSpan mask_bytes() { return {reinterpret_cast<uint8_t *>(masks), sizeof masks}; }
    ~State() { wipe(mask_bytes()); }

    // AES-256 of whole blocks. False when libcrypto refuses.
    bool encrypt(ByteView in, ByteSpan out) const {
        size_t written = 0;
        return aes.cipher(blocks.get(), out.data, &written, out.size, in.data, in.size) == 1 &&
               written == in.size;
    }

    // The key of one message. False when libcrypto refuses.
    bool subkey(ByteView nonce, Key32 *out) const {
        uint64_t half[2] = {}, blocks_in[4];  // by words: bytes take longer than one of the blocks
        memcpy(reinterpret_cast<uint8_t *>(half) + kPrefixBytes, nonce.data, kHalfNonceBytes);
        for (size_t i = 0; i < 4; ++i) blocks_in[i] = masks[i] ^ half[i % 2];
        const ByteSpan derivation{reinterpret_cast<uint8_t *>(blocks_in), sizeof blocks_in};
        const bool ok = encrypt(derivation, out->span());
        wipe(derivation);
        return ok;
    }
};

Xaes::Xaes(const Key32 &key) {
    std::unique_ptr<State> state(new (std::nothrow) State{});
    if (!state) throw Error{Code::crypto_failure, "out of memory for a cipher"};
    uint8_t zero[kBlockBytes] = {}, l[kBlockBytes];
    if (state->aes.encrypt_init(state->blocks.get(), key.view().data, key.view().size, nullptr, 0,
                                nullptr) != 1 ||
        !state->encrypt(zero, l))
        fail(Code::crypto_failure, "AES-256 failed");

    // Doubling in GF(2^128), without a branch on the carry.
    uint8_t k1[kBlockBytes], carry = 0;
    for (size_t i = kBlockBytes; i-- > 0;) {
        k1[i] = static_cast<uint8_t>(l[i] << 1 | carry);
        carry = static_cast<uint8_t>(l[i] >> 7);
    }
    k1[kBlockBytes - 1] ^= static_cast<uint8_t>(0x87 & (0 - carry));
    for (uint8_t i = 0; i < 2; ++i) {
        const uint8_t prefix[kPrefixBytes] = {0x00, static_cast<uint8_t>(i + 1), 'X', 0x00};
        uint8_t *mask = state->mask_bytes().data + i * kBlockBytes;
        memcpy(mask, k1, sizeof k1);
        for (size_t j = 0; j < kPrefixBytes; ++j) mask[j] ^= prefix[j];
    }
    wipe(l);
    wipe(k1);
    state_ = state.release();
}

Xaes::~Xaes() {
    delete state_;
}

void Xaes::seal(ByteView nonce, ByteView associated_data, ByteView plaintext, ByteSpan out) const {
    if (nonce.size != kXaesNonceBytes) throw Error{Code::invalid_argument, "wrong size of a nonce"};
    Key32 key;
    if (!state_->subkey(nonce, &key)) fail(Code::crypto_failure, "AES-256 failed");
    state_->gcm.seal(key.view(), nonce.slice(kHalfNonceBytes, kHalfNonceBytes), associated_data,
                     plaintext, out);
}

void Xaes::open(ByteView nonce, ByteView associated_data, ByteView sealed, ByteSpan out) const {
    Key32 key;
    if (nonce.size != kXaesNonceBytes || !state_->subkey(nonce, &key)) {
        wipe(out);
        fail(Code::cannot_open, kCannotOpen);
    }
    state_->gcm.open(key.view(), nonce.slice(kHalfNonceBytes, kHalfNonceBytes), associated_data,
                     sealed, out, kCannotOpen);
}

}  // namespace aegis::core

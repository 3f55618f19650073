// SPDX-License-Identifier: Apache-2.0
// C2SP XAES-256-GCM:
//   L = AES-256_K(0^128), K1 = double(L), M_i = 00 0i 'X' 00 || N[0:12]
//   subkey = AES-256_K(M_1 ^ K1) || AES-256_K(M_2 ^ K1), then AES-256-GCM(subkey, N[12:24])
#include "core/xaes.hpp"

#include <new>

#include "core/error.hpp"
#include "core/gcm.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBlockBytes = 16;
constexpr size_t kHalfNonceBytes = kXaesNonceBytes / 2;
static_assert(kHalfNonceBytes == kGcmNonceBytes && kXaesTagBytes == kGcmTagBytes);
constexpr char kCannotOpen[] = "cannot open sealed value";

const EVP_CIPHER *aes_256_ecb() {
    static EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
    return cipher;
}

}  // namespace

struct Xaes::State {
    CipherContext blocks;  // AES-256-ECB under the key, for subkeys
    Gcm gcm;               // under a new key for every message
    uint8_t k1[kBlockBytes];

    ~State() { wipe(k1); }

    // The key of one message. False when libcrypto refuses.
    bool subkey(ByteView nonce, Key32 *out) const {
        uint8_t derivation[2 * kBlockBytes];
        for (uint8_t i = 0; i < 2; ++i) {
            uint8_t *block = derivation + i * kBlockBytes;
            const uint8_t prefix[] = {0x00, static_cast<uint8_t>(i + 1), 'X', 0x00};
            memcpy(block, prefix, sizeof prefix);
            memcpy(block + sizeof prefix, nonce.data, kHalfNonceBytes);
            for (size_t j = 0; j < kBlockBytes; ++j) block[j] ^= k1[j];
        }
        int written = 0;
        const bool ok = EVP_EncryptUpdate(blocks.get(), out->span().data, &written, derivation,
                                          sizeof derivation) == 1 &&
                        written == static_cast<int>(sizeof derivation);
        wipe(derivation);
        return ok;
    }
};

Xaes::Xaes(const Key32 &key) {
    std::unique_ptr<State> state(new (std::nothrow) State{});
    if (!state) throw Error{Code::crypto_failure, "out of memory for a cipher"};
    state->blocks.reset(EVP_CIPHER_CTX_new());
    uint8_t zero[kBlockBytes] = {}, l[kBlockBytes];
    int written = 0;
    if (!state->blocks || !aes_256_ecb() ||
        EVP_EncryptInit_ex2(state->blocks.get(), aes_256_ecb(), key.view().data, nullptr,
                            nullptr) != 1 ||
        EVP_CIPHER_CTX_set_padding(state->blocks.get(), 0) != 1 ||
        EVP_EncryptUpdate(state->blocks.get(), l, &written, zero, sizeof zero) != 1 ||
        written != static_cast<int>(kBlockBytes))
        fail(Code::crypto_failure, "AES-256 is not available");

    // Doubling in GF(2^128), without a branch on the carry.
    uint8_t carry = 0;
    for (size_t i = kBlockBytes; i-- > 0;) {
        state->k1[i] = static_cast<uint8_t>(l[i] << 1 | carry);
        carry = static_cast<uint8_t>(l[i] >> 7);
    }
    state->k1[kBlockBytes - 1] ^= static_cast<uint8_t>(0x87 & (0 - carry));
    wipe(l);
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

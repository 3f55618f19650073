// SPDX-License-Identifier: Apache-2.0
// C2SP XAES-256-GCM:
//   L = AES-256_K(0^128), K1 = double(L), M_i = 00 0i 'X' 00 || N[0:12]
//   subkey = AES-256_K(M_1 ^ K1) || AES-256_K(M_2 ^ K1), then AES-256-GCM(subkey, N[12:24])
#include "core/xaes.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <new>

#include "core/error.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBlockBytes = 16;
constexpr size_t kHalfNonceBytes = kXaesNonceBytes / 2;
constexpr size_t kMaxUpdateBytes = size_t{1} << 30;  // libcrypto counts in int
constexpr uint64_t kMaxMessageBytes = (uint64_t{1} << 36) - 32;

const EVP_CIPHER *aes_256_ecb() {
    static EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
    return cipher;
}

const EVP_CIPHER *aes_256_gcm() {
    static EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return cipher;
}

// Feeds a span of any length; `out` is null for associated data.
bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, ByteView in) {
    for (size_t done = 0; done < in.size;) {
        const size_t rest = in.size - done;
        const size_t take = rest < kMaxUpdateBytes ? rest : kMaxUpdateBytes;
        int written = 0;
        if (EVP_CipherUpdate(ctx, out ? out + done : nullptr, &written, in.data + done,
                             static_cast<int>(take)) != 1)
            return false;
        done += take;
    }
    return true;
}

// The tag as parameter: without EVP_CIPHER_CTX_ctrl() in between, which makes the same of it each
// time.
struct TagParameter {
    OSSL_PARAM list[2];
    explicit TagParameter(uint8_t *tag)
        : list{OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kXaesTagBytes),
               OSSL_PARAM_construct_end()} {}
};

}  // namespace

struct Xaes::State {
    CipherContext blocks;  // AES-256-ECB under the key, for subkeys
    CipherContext gcm;     // AES-256-GCM, a new key for every message
    uint8_t k1[kBlockBytes];

    ~State() { wipe(k1); }

    // Keys the GCM context for one message. The parameters are applied after key and nonce.
    bool begin(ByteView nonce, int encrypt, const OSSL_PARAM *parameters) const {
        uint8_t derivation[2 * kBlockBytes], subkey[kKeyBytes];
        for (uint8_t i = 0; i < 2; ++i) {
            uint8_t *block = derivation + i * kBlockBytes;
            const uint8_t prefix[] = {0x00, static_cast<uint8_t>(i + 1), 'X', 0x00};
            memcpy(block, prefix, sizeof prefix);
            memcpy(block + sizeof prefix, nonce.data, kHalfNonceBytes);
            for (size_t j = 0; j < kBlockBytes; ++j) block[j] ^= k1[j];
        }
        int written = 0;
        const bool ok =
            EVP_EncryptUpdate(blocks.get(), subkey, &written, derivation, sizeof derivation) == 1 &&
            written == static_cast<int>(sizeof subkey) &&
            EVP_CipherInit_ex2(gcm.get(), nullptr, subkey, nonce.data + kHalfNonceBytes, encrypt,
                               parameters) == 1;
        wipe(derivation);
        wipe(subkey);
        return ok;
    }
};

Xaes::Xaes(const Key32 &key) {
    std::unique_ptr<State> state(new (std::nothrow) State{});
    if (!state) throw Error{Code::crypto_failure, "out of memory for a cipher"};
    state->blocks.reset(EVP_CIPHER_CTX_new());
    state->gcm.reset(EVP_CIPHER_CTX_new());
    uint8_t zero[kBlockBytes] = {}, l[kBlockBytes];
    int written = 0;
    if (!state->blocks || !state->gcm || !aes_256_ecb() || !aes_256_gcm() ||
        EVP_EncryptInit_ex2(state->blocks.get(), aes_256_ecb(), key.view().data, nullptr,
                            nullptr) != 1 ||
        EVP_CIPHER_CTX_set_padding(state->blocks.get(), 0) != 1 ||
        EVP_EncryptUpdate(state->blocks.get(), l, &written, zero, sizeof zero) != 1 ||
        written != static_cast<int>(kBlockBytes) ||
        EVP_EncryptInit_ex2(state->gcm.get(), aes_256_gcm(), nullptr, nullptr, nullptr) != 1)
        fail(Code::crypto_failure, "AES-256-GCM is not available");

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
    if (nonce.size != kXaesNonceBytes || out.size != plaintext.size + kXaesTagBytes)
        throw Error{Code::invalid_argument,
                    "wrong size of a nonce or of the room for a ciphertext"};
    if (plaintext.size > kMaxMessageBytes) throw Error{Code::too_long, "plaintext is too long"};
    EVP_CIPHER_CTX *gcm = state_->gcm.get();
    uint8_t *tag = out.data + plaintext.size;
    TagParameter to(tag);
    int written = 0;
    if (!state_->begin(nonce, 1, nullptr) || !update(gcm, nullptr, associated_data) ||
        !update(gcm, out.data, plaintext) || EVP_CipherFinal_ex(gcm, tag, &written) != 1 ||
        EVP_CIPHER_CTX_get_params(gcm, to.list) != 1) {
        wipe(out);
        fail(Code::crypto_failure, "AES-256-GCM failed");
    }
}

void Xaes::open(ByteView nonce, ByteView associated_data, ByteView sealed, ByteSpan out) const {
    if (nonce.size != kXaesNonceBytes || sealed.size < kXaesTagBytes ||
        out.size != sealed.size - kXaesTagBytes) {
        wipe(out);
        throw Error{Code::cannot_open, "cannot open sealed value"};
    }
    EVP_CIPHER_CTX *gcm = state_->gcm.get();
    uint8_t tag[kXaesTagBytes], none[kBlockBytes];
    memcpy(tag, sealed.data + out.size, sizeof tag);
    const TagParameter from(tag);
    int written = 0;
    if (!state_->begin(nonce, 0, from.list) || !update(gcm, nullptr, associated_data) ||
        !update(gcm, out.data, sealed.slice(0, out.size)) ||
        EVP_CipherFinal_ex(gcm, none, &written) != 1) {
        wipe(out);
        fail(Code::cannot_open, "cannot open sealed value");
    }
}

}  // namespace aegis::core

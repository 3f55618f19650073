// SPDX-License-Identifier: Apache-2.0
// The algorithm is fetched once per process and the context kept once per thread: an implicit
// fetch costs several times the hash of a short message. A forked child inherits both safely, since
// neither holds a secret between calls.
#include "core/digest.hpp"

#include <openssl/hmac.h>

#include <memory>
#include <new>

#include "core/error.hpp"
#include "core/openssl.hpp"
#include "core/thread_exit.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBlockBytes = 64;

void free_context(void *context) {
    EVP_MD_CTX_free(static_cast<EVP_MD_CTX *>(context));
}

const EVP_MD *sha256_algorithm() {
    static EVP_MD *const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return algorithm;
}

EVP_MD_CTX *sha256_context() {
    const EVP_MD *algorithm = sha256_algorithm();
    thread_local EVP_MD_CTX *context = nullptr;
    if (!context) {
        EVP_MD_CTX *fresh = EVP_MD_CTX_new();
        if (!fresh || !algorithm || EVP_DigestInit_ex2(fresh, algorithm, nullptr) != 1) {
            EVP_MD_CTX_free(fresh);
            fail(Code::crypto_failure, "SHA-256 is not available");
        }
        context = fresh;
        free_at_thread_exit<free_context>(context);
    }
    return context;
}

void hash(EVP_MD_CTX *context, const ByteView *parts, size_t count, uint8_t *out) {
    bool ok = EVP_DigestInit_ex2(context, nullptr, nullptr) == 1;
    for (size_t i = 0; ok && i < count; ++i)
        ok = parts[i].size == 0 || EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    if (!ok || EVP_DigestFinal_ex(context, out, nullptr) != 1)
        fail(Code::crypto_failure, "SHA-256 failed");
}

// RFC 2104: the key, padded to a block, in the form of the inner hash; xor kInnerToOuter makes the
// other.
constexpr uint8_t kInner = 0x36;
constexpr uint8_t kInnerToOuter = 0x36 ^ 0x5c;

void pad_key(EVP_MD_CTX *context, ByteView key, uint8_t (&pad)[kBlockBytes]) {
    memset(pad, 0, sizeof pad);
    if (key.size > kBlockBytes)
        hash(context, &key, 1, pad);
    else if (key.size)
        memcpy(pad, key.data, key.size);
    for (uint8_t &byte : pad) byte ^= kInner;
}

}  // namespace

Digest sha256(const ByteView *parts, size_t count) {
    Digest digest;
    hash(sha256_context(), parts, count, digest.bytes);
    return digest;
}

Digest sha256(ByteView part) {
    return sha256(&part, 1);
}

Digest sha256(ByteView first, ByteView second) {
    const ByteView parts[] = {first, second};
    return sha256(parts, 2);
}

Digest hmac_sha256(ByteView key, const ByteView *parts, size_t count) {
    if (count > kMaxHmacParts) throw Error{Code::invalid_argument, "too many parts for HMAC"};
    EVP_MD_CTX *context = sha256_context();

    // Over the kept context: EVP_MAC would spend more on its parameters than on hashing.
    uint8_t pad[kBlockBytes];
    pad_key(context, key, pad);

    ByteView message[1 + kMaxHmacParts];
    message[0] = pad;
    for (size_t i = 0; i < count; ++i) message[1 + i] = parts[i];
    Digest digest;
    hash(context, message, 1 + count, digest.bytes);

    for (uint8_t &byte : pad) byte ^= kInnerToOuter;
    const ByteView outer[] = {pad, digest.view()};
    hash(context, outer, 2, digest.bytes);
    wipe(pad);
    return digest;
}

Digest hmac_sha256(ByteView key, ByteView message) {
    return hmac_sha256(key, &message, 1);
}

void hmac_sha512(ByteView key, ByteView message, uint8_t (&out)[kSha512Bytes]) {
    static const uint8_t nothing[1] = {};
    if (HMAC(EVP_sha512(), key.size ? key.data : nothing, static_cast<int>(key.size), message.data,
             message.size, out, nullptr) == nullptr)
        fail(Code::crypto_failure, "HMAC-SHA-512 failed");
}

struct HmacKey::State {
    MdContext inner, outer;  // after the padded key
    MdContext scratch;
};

HmacKey::HmacKey(ByteView key) {
    std::unique_ptr<State> state(new (std::nothrow) State{});
    if (!state) throw Error{Code::crypto_failure, "out of memory for a key"};
    uint8_t pad[kBlockBytes];
    pad_key(sha256_context(), key, pad);
    bool ok = true;
    for (MdContext *context : {&state->inner, &state->outer, &state->scratch})
        ok = (context->reset(EVP_MD_CTX_new()), *context != nullptr) && ok;
    ok = ok && EVP_DigestInit_ex2(state->inner.get(), sha256_algorithm(), nullptr) == 1 &&
         EVP_DigestUpdate(state->inner.get(), pad, sizeof pad) == 1;
    for (uint8_t &byte : pad) byte ^= kInnerToOuter;
    ok = ok && EVP_DigestInit_ex2(state->outer.get(), sha256_algorithm(), nullptr) == 1 &&
         EVP_DigestUpdate(state->outer.get(), pad, sizeof pad) == 1;
    wipe(pad);
    if (!ok) fail(Code::crypto_failure, "SHA-256 is not available");
    state_ = state.release();
}

HmacKey::~HmacKey() {
    delete state_;  // libcrypto overwrites what it frees of a hash
}

Digest HmacKey::digest(ByteView message) const {
    EVP_MD_CTX *scratch = state_->scratch.get();
    Digest digest;
    if (EVP_MD_CTX_copy_ex(scratch, state_->inner.get()) != 1 ||
        (message.size != 0 && EVP_DigestUpdate(scratch, message.data, message.size) != 1) ||
        EVP_DigestFinal_ex(scratch, digest.bytes, nullptr) != 1 ||
        EVP_MD_CTX_copy_ex(scratch, state_->outer.get()) != 1 ||
        EVP_DigestUpdate(scratch, digest.bytes, sizeof digest.bytes) != 1 ||
        EVP_DigestFinal_ex(scratch, digest.bytes, nullptr) != 1) {
        wipe(digest.bytes);
        fail(Code::crypto_failure, "SHA-256 failed");
    }
    return digest;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// The algorithm is found once per process and the context kept once per thread: an implicit fetch
// costs several times the hash of a short message. A forked child inherits both safely, since
// neither holds a secret between calls.
#include "core/digest.hpp"

#include <openssl/hmac.h>

#include <new>

#include "core/dispatch.hpp"
#include "core/openssl.hpp"
#include "core/thread_exit.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBlockBytes = 64;

const DigestDispatch &sha256_algorithm() {
    static const DigestDispatch algorithm("SHA256", "SHA-256 is not available");
    return algorithm;
}

void free_context(void *context) {
    sha256_algorithm().freectx(context);
}

void *sha256_context() {
    thread_local void *context = nullptr;
    if (!context) {
        context = sha256_algorithm().make_context().release();
        free_at_thread_exit<free_context>(context);
    }
    return context;
}

bool update(void *context, ByteView part) {
    return part.size == 0 || sha256_algorithm().update(context, part.data, part.size) == 1;
}

bool finish(void *context, uint8_t *out) {
    size_t written = 0;
    return sha256_algorithm().final(context, out, &written, kDigestBytes) == 1;
}

void hash(void *context, const ByteView *parts, size_t count, uint8_t *out) {
    bool ok = sha256_algorithm().init(context, nullptr) == 1;
    for (size_t i = 0; ok && i < count; ++i) ok = update(context, parts[i]);
    if (!ok || !finish(context, out)) fail(Code::crypto_failure, "SHA-256 failed");
}

// RFC 2104: the key, padded to a block, in the form of the inner hash; xor kInnerToOuter makes the
// other.
constexpr uint8_t kInner = 0x36;
constexpr uint8_t kInnerToOuter = 0x36 ^ 0x5c;

void pad_key(void *context, ByteView key, uint8_t (&pad)[kBlockBytes]) {
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
    void *context = sha256_context();

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
    ProviderContext inner, outer;  // after the padded key
};

HmacKey::HmacKey(ByteView key) {
    std::unique_ptr<State> state(new (std::nothrow) State{});
    if (!state) throw Error{Code::crypto_failure, "out of memory for a key"};
    const DigestDispatch &sha256 = sha256_algorithm();
    state->inner = sha256.make_context();
    state->outer = sha256.make_context();
    uint8_t pad[kBlockBytes];
    pad_key(sha256_context(), key, pad);
    bool ok = sha256.init(state->inner.get(), nullptr) == 1 && update(state->inner.get(), pad);
    for (uint8_t &byte : pad) byte ^= kInnerToOuter;
    ok = ok && sha256.init(state->outer.get(), nullptr) == 1 && update(state->outer.get(), pad);
    wipe(pad);
    if (!ok) fail(Code::crypto_failure, "SHA-256 failed");
    state_ = state.release();
}

HmacKey::~HmacKey() {
    delete state_;
}

Digest HmacKey::digest(ByteView message) const {
    const ProviderContext inner = sha256_algorithm().copy(state_->inner);
    const ProviderContext outer = sha256_algorithm().copy(state_->outer);
    Digest digest;
    if (!update(inner.get(), message) || !finish(inner.get(), digest.bytes) ||
        !update(outer.get(), digest.view()) || !finish(outer.get(), digest.bytes)) {
        wipe(digest.bytes);
        fail(Code::crypto_failure, "SHA-256 failed");
    }
    return digest;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Drawing 24 bytes from the DRBG costs more than sealing a short value, so nonces come from a pool
// that is filled a page at a time. A pool that two processes share would repeat nonces, so it
// remembers the process that filled it.
#include "core/random.hpp"

#include <openssl/rand.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr size_t kPoolBytes = 4096;

struct Pool {  // plain, so that a thread's pool needs neither constructor nor destructor
    pid_t owner;
    size_t left;
    uint8_t bytes[kPoolBytes];
};

Pool &pool() {
    thread_local Pool pool{};
    return pool;
}

}  // namespace

void random_nonce(ByteSpan out) {
    if (out.size > kPoolBytes / 8) return random_secret(out);
    Pool &p = pool();
    const pid_t self = getpid();
    if (p.owner != self || p.left < out.size) {
        p.left = 0;
        if (RAND_bytes(p.bytes, kPoolBytes) != 1)
            fail(Code::crypto_failure, "the random number generator failed");
        p.owner = self;
        p.left = kPoolBytes;
    }
    p.left -= out.size;
    const ByteSpan taken(p.bytes + p.left, out.size);
    if (out.size) memcpy(out.data, taken.data, taken.size);
    wipe(taken);
}

void random_secret(ByteSpan out) {
    if (out.size > INT32_MAX) throw Error{Code::too_long, "too many random bytes at once"};
    if (out.size && RAND_priv_bytes(out.data, static_cast<int>(out.size)) != 1)
        fail(Code::crypto_failure, "the random number generator failed");
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Drawing 24 bytes from the DRBG costs more than sealing a short value, so nonces come from a pool
// that is filled a page at a time. Two processes that shared a pool would repeat nonces: the kernel
// empties the page in every forked child; where it cannot, the pool remembers the process that
// filled it, at the price of a system call for every nonce.
#include "core/random.hpp"

#include <openssl/rand.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/openssl.hpp"
#include "core/thread_exit.hpp"

namespace aegis::core {

namespace {

struct Pool {
    size_t left;  // zero in a page that was emptied
    pid_t owner;
    uint8_t bytes[4096 - sizeof(size_t) - sizeof(size_t)];
};
static_assert(sizeof(Pool) == 4096);
constexpr size_t kPoolBytes = sizeof(Pool::bytes);

void free_page(void *page) {
    munmap(page, sizeof(Pool));
}

struct ThreadPool {
    Pool *pool;
    bool emptied_on_fork;
};

ThreadPool &thread_pool() {
    thread_local ThreadPool own{};
    if (!own.pool) {
        void *page =
            mmap(nullptr, sizeof(Pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            throw Error{Code::crypto_failure, "out of memory for random numbers"};
        own.emptied_on_fork = madvise(page, sizeof(Pool), MADV_WIPEONFORK) == 0;
        // Best effort: future nonces are no secret once used, but need not be in a core dump.
        (void)madvise(page, sizeof(Pool), MADV_DONTDUMP);
        own.pool = static_cast<Pool *>(page);
        free_at_thread_exit<free_page>(page);
    }
    return own;
}

}  // namespace

void random_nonce(ByteSpan out) {
    if (out.size > kPoolBytes / 8) return random_secret(out);
    ThreadPool &own = thread_pool();
    Pool &pool = *own.pool;
    const pid_t self = own.emptied_on_fork ? 0 : getpid();
    if (pool.left < out.size || pool.owner != self) {
        pool.left = 0;
        if (RAND_bytes(pool.bytes, kPoolBytes) != 1)
            fail(Code::crypto_failure, "the random number generator failed");
        pool.owner = self;
        pool.left = kPoolBytes;
    }
    pool.left -= out.size;
    const ByteSpan taken(pool.bytes + pool.left, out.size);
    if (out.size) memcpy(out.data, taken.data, taken.size);
    wipe(taken);
}

void random_secret(ByteSpan out) {
    if (out.size > INT32_MAX) throw Error{Code::too_long, "too many random bytes at once"};
    if (out.size && RAND_priv_bytes(out.data, static_cast<int>(out.size)) != 1)
        fail(Code::crypto_failure, "the random number generator failed");
}

}  // namespace aegis::core

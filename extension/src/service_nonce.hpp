// SPDX-License-Identifier: Apache-2.0
// The nonces of signed requests, in memory that no rollback reverts and that outlives the crash of
// a backend. What a restart of the server forgets is never asked about: requests that were signed
// before it are refused. docs/service.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::service_nonce {

inline constexpr int kBuckets = 4096;
inline constexpr int kPerBucket = 128;
inline constexpr int kLocks = 64;

struct Entry {
    uint64_t mark[2];   // half of a hash of key and nonce
    int64_t forget_at;  // seconds since 1970; 0 never used
};

struct Memory {
    std::atomic<int64_t> since;  // seconds since 1970; 0 until the first worker of this run starts
    std::atomic<int32_t> tranche;
    LWLockPadded locks[kLocks];
    Entry entries[kBuckets][kPerBucket];
};

enum class Claim { fresh, used, not_ready };

// Remembers the nonce of a key until nothing that was created then is accepted any more. not_ready:
// and after how many seconds a new request may come.
Claim claim(const char *key_id, const char *nonce, int64_t created, int64_t now, int *retry_after);

// For workers, which run on primaries only: from now on nonces are remembered.
void begin();
// For the postmaster, while no other process lives.
void survive_restart();

}  // namespace aegis::service_nonce

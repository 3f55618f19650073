// SPDX-License-Identifier: Apache-2.0
// A bucket is searched and filled under one lock, so that of many who bring the same nonce exactly
// one is the first. The locks belong to PostgreSQL, which frees those of processes that end with an
// error, and are made anew when one is killed; a nonce that was half written then belongs to a
// request that was never answered.
#include "core/digest.hpp"

#include "service_nonce.hpp"

#include "guc.hpp"
#include "pg/function.hpp"
#include "region.hpp"

namespace aegis::service_nonce {

namespace {

// A clock that is set back must not bring back what was forgotten.
constexpr int64_t kClockMargin = 60;
constexpr int kFullRetrySeconds = 5;

int64_t now_seconds() {
    return GetCurrentTimestamp() / USECS_PER_SEC +
           (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64_t>(SECS_PER_DAY);
}

Memory *memory() {
    region::State *state = region::state();
    return state != nullptr ? &state->nonces : nullptr;
}

core::Digest mark_of(const char *key_id, const char *nonce) {
    // A key's id holds no zero byte, so this reads one way only.
    core::ByteView parts[] = {{reinterpret_cast<const uint8_t *>(key_id), strlen(key_id) + 1},
                              pg::view_of(nonce)};
    core::Digest digest;
    pg::raise(pg::run([&] { digest = core::sha256(parts, 2); }));
    return digest;
}

}  // namespace

Claim claim(const char *key_id, const char *nonce, int64_t created, int64_t now, int *retry_after) {
    Memory *to = memory();
    int64_t since = to != nullptr && !RecoveryInProgress() ? to->since.load() : 0;
    *retry_after = guc::signature_window_seconds;
    if (since == 0) return Claim::not_ready;
    if (created <= since + guc::signature_window_seconds) {
        *retry_after = static_cast<int>(Max(since + guc::signature_window_seconds + 1 - now, 1));
        return Claim::not_ready;
    }
    core::Digest digest = mark_of(key_id, nonce);
    uint32_t number = core::get_u32(digest.bytes + 16) % kBuckets;
    Entry *bucket = to->entries[number], *room = nullptr;
    Claim outcome = Claim::fresh;
    LWLock *lock = &to->locks[number % kLocks].lock;
    LWLockAcquire(lock, LW_EXCLUSIVE);
    for (int i = 0; i < kPerBucket && outcome == Claim::fresh; i++) {
        if (bucket[i].forget_at < now)
            room = room == nullptr ? &bucket[i] : room;
        else if (memcmp(bucket[i].mark, digest.bytes, sizeof bucket[i].mark) == 0)
            outcome = Claim::used;
    }
    if (outcome == Claim::fresh && room == nullptr) {
        outcome = Claim::not_ready;
        *retry_after = kFullRetrySeconds;
    } else if (outcome == Claim::fresh) {
        memcpy(room->mark, digest.bytes, sizeof room->mark);
        room->forget_at = created + guc::signature_window_seconds + kClockMargin;
    }
    LWLockRelease(lock);
    return outcome;
}

void begin() {
    int64_t never = 0;
    memory()->since.compare_exchange_strong(never, now_seconds());
}

void survive_restart() {
    Memory *of = memory();
    of->tranche.store(LWLockNewTrancheId());
    for (LWLockPadded &padded : of->locks) LWLockInitialize(&padded.lock, of->tranche.load());
    LWLockRegisterTranche(of->tranche.load(), "aegis nonces");
}

}  // namespace aegis::service_nonce

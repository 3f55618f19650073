// SPDX-License-Identifier: Apache-2.0
#include "core/aside.hpp"
#include "core/random.hpp"
#include "password.hpp"

#include <argon2.h>
#include <csignal>
#include <sched.h>
#include <ctime>
#include <zxcvbn.h>

#include "breached.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "region.hpp"

namespace aegis::password {

namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kTagBytes = 32;
// One lane: libargon2 would start a thread for each, and the floor of OWASP is stated for one.
constexpr uint32_t kLanes = 1;
// No hash takes this long; a slot older than it belongs to a process that died.
constexpr uint32_t kStaleSeconds = 60;
constexpr int kPollMs = 5;
// Guesses of score 3 in zxcvbn's scale: 10^8, in bits.
constexpr double kEnoughBits = 26.6;

uint32_t seconds_now() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint32_t>(now.tv_sec);
}

bool is_stale(uint64_t holder, uint32_t now) {
    pid_t pid = static_cast<pid_t>(holder >> 32);
    uint32_t since = static_cast<uint32_t>(holder);
    return now - since > kStaleSeconds || (kill(pid, 0) != 0 && errno == ESRCH);
}

// By default half of the processors that this process may use: a flood of sign-ins leaves the
// others to everybody else.
int concurrency() {
    if (guc::password_concurrency > 0) return guc::password_concurrency;
    cpu_set_t usable;
    int count = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    return Min(Max(count / 2, 1), kMaximumSlots);
}

int try_slots(Slots &slots) {
    int count = concurrency();
    uint32_t now = seconds_now();
    uint64_t mine = static_cast<uint64_t>(static_cast<uint32_t>(MyProcPid)) << 32 | now;
    for (int i = 0; i < count; i++) {
        uint64_t seen = slots.holder[i].load();
        if ((seen == 0 || is_stale(seen, now)) &&
            slots.holder[i].compare_exchange_strong(seen, mine))
            return i;
    }
    return -1;
}

}  // namespace

bool take_slot(int patience_ms, int *slot) {
    region::State *state = region::state();
    if (state == nullptr) return false;
    for (int waited = 0;; waited += kPollMs) {
        *slot = try_slots(state->passwords);
        if (*slot >= 0) return true;
        if (waited >= patience_ms) return false;
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

void give_back(int slot) {
    // Only what is still ours: a slot judged stale may have a new holder.
    uint64_t seen = region::state()->passwords.holder[slot].load();
    if (static_cast<int>(seen >> 32) == MyProcPid)
        region::state()->passwords.holder[slot].compare_exchange_strong(seen, 0);
}

bool hash(core::ByteView password, char *out) {
    uint8_t salt[kSaltBytes];
    pg::Report drawn = pg::run([&] { core::random_secret(salt); });
    if (drawn.failed) return false;
    int result = ARGON2_MEMORY_ALLOCATION_ERROR;
    core::run_aside([&] {
        result = argon2id_hash_encoded(static_cast<uint32_t>(guc::password_iterations),
                                       static_cast<uint32_t>(guc::password_memory_kib), kLanes,
                                       password.data, password.size, salt, sizeof salt, kTagBytes,
                                       out, kEncodedBytes);
    });
    return result == ARGON2_OK;
}

bool verify(const char *encoded, core::ByteView password) {
    int result = ARGON2_VERIFY_MISMATCH;
    core::run_aside([&] { result = argon2id_verify(encoded, password.data, password.size); });
    return result == ARGON2_OK;
}

void burn(core::ByteView password) {
    static const uint8_t salt[kSaltBytes] = {};
    uint8_t tag[kTagBytes];
    // The result is of no use, and neither is a failure: only the time counts.
    core::run_aside([&] {
        (void)argon2id_hash_raw(static_cast<uint32_t>(guc::password_iterations),
                                static_cast<uint32_t>(guc::password_memory_kib), kLanes,
                                password.data, password.size, salt, sizeof salt, tag, sizeof tag);
    });
    core::wipe(tag);
}

double measure(int kib, int iterations) {
    static const uint8_t password[] = {'m', 'e', 'a', 's', 'u', 'r', 'e'}, salt[kSaltBytes] = {};
    uint8_t tag[kTagBytes];
    struct timespec begun, done;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    int result =
        argon2id_hash_raw(static_cast<uint32_t>(iterations), static_cast<uint32_t>(kib), kLanes,
                          password, sizeof password, salt, sizeof salt, tag, sizeof tag);
    clock_gettime(CLOCK_MONOTONIC, &done);
    if (result != ARGON2_OK) return -1;
    return static_cast<double>(done.tv_sec - begun.tv_sec) * 1e3 +
           static_cast<double>(done.tv_nsec - begun.tv_nsec) / 1e6;
}

bool is_outdated(const char *encoded) {
    unsigned version, memory, iterations, lanes;
    if (sscanf(encoded, "$argon2id$v=%u$m=%u,t=%u,p=%u$", &version, &memory, &iterations, &lanes) !=
        4)
        return true;
    return memory < static_cast<unsigned>(guc::password_memory_kib) ||
           iterations < static_cast<unsigned>(guc::password_iterations);
}

void check_new(core::ByteView password, const char *email, const char *name) {
    int characters = pg_mbstrlen_with_len(reinterpret_cast<const char *>(password.data),
                                          static_cast<int>(password.size));
    if (characters < static_cast<int>(kMinimumCharacters) || password.size > kMaximumBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("password must have at least %zu characters and at most %zu bytes",
                               kMinimumCharacters, kMaximumBytes)));
    char *text = pnstrdup(reinterpret_cast<const char *>(password.data), password.size);
    const char *words[] = {email, name, "aegis", nullptr};
    double bits = ZxcvbnMatch(text, words, nullptr);
    core::wipe({reinterpret_cast<uint8_t *>(text), password.size});
    pfree(text);
    if (bits < kEnoughBits)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("password is too easy to guess"),
             errhint("Use several unrelated words; avoid names, dates and keyboard patterns.")));
    breached::require_unknown(password);
}

}  // namespace aegis::password

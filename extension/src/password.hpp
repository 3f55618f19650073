// SPDX-License-Identifier: Apache-2.0
// Argon2id hashes in PHC format, the rule for new passwords, and the bound on hashes computed at
// once in the cluster. docs/sign_in.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::password {

inline constexpr size_t kMinimumCharacters = 10;
inline constexpr size_t kMaximumBytes = 256;
inline constexpr size_t kEncodedBytes = 160;  // PHC text with terminator
inline constexpr int kMaximumSlots = 64;

// Who computes a hash now. A slot is pid and second of taking in one word, so it is taken with one
// atomic operation, and one whose holder was killed is recognised as stale.
struct Slots {
    std::atomic<uint64_t> holder[kMaximumSlots];
};

// Waits up to `patience_ms` for a slot; false when all stay busy. Between take and give_back
// nothing may ereport. Without the shared region (not preloaded) always false.
bool take_slot(int patience_ms, int *slot);
void give_back(int slot);

// Hash with the current settings into out[kEncodedBytes]. Needs a slot. False: out of memory.
bool hash(core::ByteView password, char *out);
// True when the password belongs to the hash. Needs a slot.
bool verify(const char *encoded, core::ByteView password);
// The work of one verification without a hash to verify, for accounts that do not exist.
void burn(core::ByteView password);
// True when the settings ask for more than the hash was made with.
bool is_outdated(const char *encoded);

// How many milliseconds one hash takes now with such settings; negative when there is no memory for
// it. Needs a slot.
double measure(int kib, int iterations);

// ERROR 22023 with a hint unless the password is acceptable as a new one for a person with these
// two personal words (e-mail and name).
void check_new(core::ByteView password, const char *email, const char *name);

// Checks a new password of a user by the same rules. ERROR 22023. Inside an SPI connection as
// aegis_owner.
void check_for(const pg_uuid_t &tenant, const pg_uuid_t &user, core::ByteView password);
// Hashes one that was checked into the current memory context, unless it is the one of
// `current_hash` (nullptr: none). ERROR 22023, 53300 when every slot stays busy. This is the work
// of one or two hashes: whoever may ask for it without end must be charged first.
char *hash_checked(core::ByteView password, const char *current_hash);
// Both.
char *hash_new(const pg_uuid_t &tenant, const pg_uuid_t &user, core::ByteView password,
               const char *current_hash);
// Stores what hash_new() gave: nothing is due of the user any more, and failures are forgotten.
// Records `user.password_changed` with how it came to it.
void store(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *hash, const char *way);

}  // namespace aegis::password

// SPDX-License-Identifier: Apache-2.0
// Users of a tenant and what counts against their sign-ins. docs/user.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::user {

// Failures that cost nothing; from here on each doubles the delay before the next attempt.
inline constexpr int kFreeFailures = 4;

// OID of aegis.user. ERROR when the extension is not installed.
Oid relation();
// The keyed look-up value of an address; false when it cannot be one. Without a tenant only that is
// said.
bool login_of(const pg_uuid_t *tenant, const char *email, uint8_t out[32]);

struct Person {
    const char *email, *name;
    int16 rank;
    pg_uuid_t team;
};
// Adds a user whose arguments were checked: with a hash active, without one (nullptr) invited.
// ERROR 23505 when the address is taken. Inside an SPI connection as aegis_owner.
pg_uuid_t insert(const pg_uuid_t &tenant, const Person &person, const char *hash);

// Lower-case text form with terminator.
void format(const pg_uuid_t &id, char out[37]);

// Counts a failed sign-in; true when it locked the account. Runs SPI as the owner's caller.
bool note_failure(const pg_uuid_t &user);
// For the worker: counts a sign-in that was rolled back or cancelled as failed, and records a lock.
// Does nothing for a user that does not exist. May ereport.
void note_abandoned(const pg_uuid_t &user);
// Forgets the failures and stores a stronger hash when there is one (nullptr: none).
void note_success(const pg_uuid_t &user, const char *stronger_hash);

}  // namespace aegis::user

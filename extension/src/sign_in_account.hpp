// SPDX-License-Identifier: Apache-2.0
// An account while somebody proves to be its user, by password or by code: what stands against it,
// what a failure costs it, and what is written down. Everything here runs inside an SPI connection
// as aegis_owner.
#pragma once

#include "password.hpp"
#include "sign_in.hpp"

namespace aegis::sign_in {

inline constexpr size_t kMaxIssuerNameBytes = 48;

struct Account {
    pg_uuid_t tenant, user;
    bool tenant_found, user_found;
    int16 rank;
    int failed_count;
    bool active, delayed, locked;
    bool password_due;  // a new password must be chosen
    char password_hash[password::kEncodedBytes];
    // The issuer at which the user signs in; without a name: here.
    pg_uuid_t issuer;
    char issuer_name[kMaxIssuerNameBytes + 1];
};

// Fills what is known of a user; false when there is none.
bool find_account(const pg_uuid_t &tenant, core::ByteView login, TimestampTz now, Account *account);
bool find_account(const pg_uuid_t &tenant, const pg_uuid_t &user, TimestampTz now,
                  Account *account);

// Serialises attempts on one account, known or not: the key is a hash of what names it. An object
// lock, because advisory locks can be taken by anybody's SQL. False: another attempt runs.
bool lock_account(const core::ByteView *parts, size_t count);
bool lock_account(const pg_uuid_t &user);

// Why an attempt fails before what is shown counts; nullptr when that decides. `charge` is the
// attempt's own.
const char *refusal(const Account &account, int charge);

// The same work whether or not there is something to verify. False: no slot was free. `rehashed`
// has room for password::kEncodedBytes; empty unless the hash should be replaced.
bool check_password(const Account &account, core::ByteView password, bool decides, bool *matches,
                    char *rehashed);

void record(const char *event, const Account &account, const Origin &origin, core::Outcome outcome,
            const pg_uuid_t *session, const char *reason);
// Counts a failure against the account and records it, and the lock that it may bring.
void fail(const char *event, const Account &account, const Origin &origin, const char *reason);
// Starts the only session of the user and forgets the failures; `stronger_hash` may be nullptr.
void finish(const Account &account, const Origin &origin, TimestampTz now,
            const char *stronger_hash, Result *result);
// Remembers what is due of somebody whose password was right: no session, and none that ends.
void challenge(const Account &account, const Origin &origin, TimestampTz now, const Due &due,
               const char *stronger_hash, Result *result);

}  // namespace aegis::sign_in

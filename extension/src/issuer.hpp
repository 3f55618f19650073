// SPDX-License-Identifier: Apache-2.0
// Tokens of identity providers: verified against keys that the agent fetched, and turned into a
// session of the user that their subject stands for. docs/issuer.md.
#pragma once

#include "core/jwt.hpp"
#include "pg/postgres.hpp"
#include "session.hpp"

namespace aegis::issuer {

struct Origin {
    const char *ip, *user_agent, *request_id;  // may be nullptr
};

enum class Verdict {
    user,         // whose session it is, and whether that holds, the other verdict says
    invalid,      // forged, late, for others, of nobody here: not told apart
    no_rank,      // none of its roles gives a rank
    factor_due,   // the tenant wants a second factor, and the issuer saw none
    busy,         // another request of the user was faster
    not_charged,  // what it begins cannot be recorded
};

// Verifies a token. The first one with a sid begins a session, which ends the user's other one.
// What is refused is recorded by the worker, whatever becomes of the transaction.
Verdict verify(const char *token, const Origin &origin, session::Session *session,
               session::Verdict *standing);

// Between the files of this concept.

// What of an issuer's row verifies its tokens; in the caller's memory context.
struct Issuer {
    pg_uuid_t id;
    const char *name;
    core::TokenRules rules;  // but roles and time
};
// False when none of this address is in use.
bool find(const char *address, Snapshot snapshot, Issuer *issuer);
// Fills rules.roles.
void find_roles(Snapshot snapshot, Issuer *issuer);

struct Key {
    const char *jwk;
    core::JwsAlgorithm algorithm;
};
// False when there is none of this id, or it has expired.
bool find_key(const Issuer &issuer, const char *kid, Snapshot snapshot, Key *key);
// Has the keys fetched, unless somebody asked just before; waits for nobody.
void ask_for_keys(const Issuer &issuer);

// False when the organisation is no tenant, or the subject nobody in it.
bool find_user(const Issuer &issuer, const core::TokenClaims &claims, Snapshot snapshot,
               pg_uuid_t *tenant, pg_uuid_t *user);

}  // namespace aegis::issuer

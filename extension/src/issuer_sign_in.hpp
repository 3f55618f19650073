// SPDX-License-Identifier: Apache-2.0
// Signing in at an issuer: the authorization code flow with PKCE (RFC 7636). Everything that the
// flow must keep is derived from the token in the browser's cookie, so nothing is stored until
// somebody comes back. docs/issuer.md.
#pragma once

#include "pg/postgres.hpp"
#include "sign_in.hpp"

namespace aegis::issuer {

struct Begun {
    char token[core::kMaxSessionTokenBytes + 1];  // for the cookie
    const char *url;                              // where the browser goes
};
// False when nobody signs in at an issuer of this name.
bool begin_sign_in(const char *name, Begun *begun);

// What the issuer gave the browser to bring back.
struct Brought {
    const char *token;  // the cookie's; nullptr: none
    const char *code, *state;
    const char *issuer;  // nullptr: not said
    const char *ip;      // where from
};
enum class Taken { waiting, refused, busy };
// Has the code exchanged by the agent.
Taken take_code(const Brought &brought);

enum class Fetched { waiting, refused, answered };
// What became of it; once answered, the attempt is gone.
Fetched fetch_sign_in(const char *token, const sign_in::Origin &origin, sign_in::Result *result);

// Where a browser goes that leaves this session, to sign out at the issuer, too; nullptr: nowhere.
// Inside an SPI connection as aegis_owner; lives in the memory context that is given.
const char *sign_out_url(const pg_uuid_t &session, MemoryContext memory);

inline constexpr size_t kMaxCodeBytes = 2048;

// Between the files of this concept.

// What Aegis is to an issuer.
struct Client {
    pg_uuid_t id;
    const char *issuer, *client, *authorization, *redirect;
    core::ByteView key;  // sealed
};
// A token that proves it for a minute.
const char *make_assertion(const Client &client);

}  // namespace aegis::issuer

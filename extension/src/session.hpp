// SPDX-License-Identifier: Apache-2.0
// Sessions: one live per user, known by the SHA-256 of an opaque token. docs/session.md.
#pragma once

#include "charge.hpp"
#include "core/session_token.hpp"
#include "limit.hpp"
#include "pg/postgres.hpp"

namespace aegis::session {

enum class Verdict {
    valid,
    superseded,  // the user signed in elsewhere
    invalid,     // unknown, expired, signed out, user or tenant no longer active: not told apart
    moved,       // the tenant moved to the session's region, whatever became of the session
    misdirected  // live, but the tenant's row is another region's
};

struct Session {
    pg_uuid_t id, tenant, user, team;
    int16 rank;
    int64 team_ord, team_last_ord;
    TimestampTz expires_at, confirmed_at;
    limit::Limits limits;  // of the tenant
    bool touch_due;        // last seen longer ago than the grain
    char region[17];       // of the tenant
};

// Verifies a token; the session is filled only when valid.
Verdict verify(core::ByteView token, Session *session);
// The same for a session that tokens of an issuer stand for, known by a hash that no token of ours
// has; *found says whether there is one.
Verdict verify_foreign(const core::Digest &hash, Session *session, bool *found);
// Whether the user of session->tenant and session->user may have one; fills the rest but its id and
// times. Never superseded.
Verdict verify_user(Session *session);
// Fixes the context of this transaction for the session.
void establish(const Session &session, const char *ip, const char *user_agent,
               const char *request_id);
// Moves the idle timeout. Skips a session that another transaction is touching.
void touch(const pg_uuid_t &session);

struct Created {
    pg_uuid_t tenant, user;  // in
    TimestampTz now;         // in
    pg_uuid_t session;
    TimestampTz expires_at;
    char token[core::kMaxSessionTokenBytes + 1];
    const pg_uuid_t *issuer;  // in: where its user signed in; nullptr: here
    // In, for tokens of an issuer, which stand for the session themselves.
    bool foreign;
    core::Digest hash;
    TimestampTz confirmed_at;
};
// Starts a session and ends the live one of the user; true when that one was superseded, whose id
// is then in *superseded. Inside an SPI connection as aegis_owner.
bool create(Created *created, const charge::Origin &origin, pg_uuid_t *superseded);

// Notes that the user of a session has shown again who they are. Inside an SPI connection as
// aegis_owner.
void confirm(const pg_uuid_t &session, TimestampTz now);
// Ends the live session of a user, or only this one, with a reason ("signed_out", "deactivated",
// "credentials_changed", "revoked"); false when there was none. Inside an SPI connection as
// aegis_owner.
bool end(const pg_uuid_t &user, const pg_uuid_t *session, const char *reason);
// Ends every live session of a tenant; returns how many. Inside an SPI connection as aegis_owner.
uint64 end_of_tenant(const pg_uuid_t &tenant, const char *reason);

}  // namespace aegis::session

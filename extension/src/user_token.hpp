// SPDX-License-Identifier: Apache-2.0
// Tokens that reach a person by mail and serve once: an invitation, or a new password in place of a
// forgotten one. Only their hash is stored. Everything here runs inside an SPI connection as
// aegis_owner. docs/user_token.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::user_token {

enum class Purpose { invitation, reset };

struct Token {
    pg_uuid_t tenant, user;
};
// The user that a live token of this purpose is for, whose tenant works; false when there is none.
bool find(core::ByteView token, Purpose purpose, TimestampTz now, Token *found);
// Ends every token of a user.
void forget(const pg_uuid_t &user);
// Mails an invitation to a user who has not accepted one yet; those before end.
void send_invitation(const pg_uuid_t &tenant, const pg_uuid_t &user);

}  // namespace aegis::user_token

// SPDX-License-Identifier: Apache-2.0
// Links for people without an account: a random token opens one thing of one tenant, until it
// expires or is revoked. docs/link.md.
#pragma once

#include "pg/postgres.hpp"
#include "tenant_home.hpp"

namespace aegis::link {

struct Link {
    pg_uuid_t id;
    pg_uuid_t tenant;
    pg_uuid_t target;
};

// The link of a token that may open a kind of thing now; false: none, or expired, or revoked.
bool find(core::ByteView token, const char *kind, Link *found);

// Fixes the context of this transaction: all rows of the tenant, no user, no rank, one target.
void establish(const Link &link, const tenant::Home &home, const char *ip, const char *user_agent,
               const char *request_id);

}  // namespace aegis::link

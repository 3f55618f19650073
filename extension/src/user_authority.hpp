// SPDX-License-Identifier: Apache-2.0
// Who may change whom: operators and admins everyone, managers and team leads those below them in
// the teams of their range. Nobody changes themselves, and a tenant keeps an admin. What looks into
// tables runs inside an SPI connection as aegis_owner.
#pragma once

#include "context.hpp"
#include "ledger.hpp"
#include "pg/postgres.hpp"

namespace aegis::user {

struct Target {
    int16 rank;
    int64 team_ord;
    bool active;
    bool was_admin;  // is one, or has been one at some time
};

// Of everybody in the tenant, whatever their team.
bool is_unbounded(const context::Context &context);
// The context, or ERROR AG001, 25006 when it is read-only.
const context::Context &require_writable();
// ERROR 42501 unless users of this rank in this team are the caller's to change.
void require_authority(const context::Context &context, int16 rank, int64 team_ord);
// A user that the caller may change, locked. ERROR P0002, 42501.
Target require_target(const context::Context &context, const pg_uuid_t &user);
// ERROR 55000 when the tenant would be left without an admin.
void require_other_admin(const context::Context &context, const pg_uuid_t &user);

// Writes an entry about a user of the context's tenant.
void record(const char *event, const pg_uuid_t &user, const ledger::DetailPair *pairs, int count);

}  // namespace aegis::user

// SPDX-License-Identifier: Apache-2.0
// Who the tenants are. Look-ups read the tables directly: they work for any role, before there is a
// context, and see what the current transaction wrote. docs/tenant.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::tenant {

struct Tenant {
    pg_uuid_t id;
    char slug[64];
    char region[17];
    char status[16];
    bool active;        // of status active, and not moved
    char moved_to[17];  // the region that it moved to, or empty
};

// False when there is no such tenant. The region is not judged.
bool find_by_slug(const char *slug, Tenant *tenant);
bool find_by_id(const pg_uuid_t &id, Tenant *tenant);

// ERROR AG018 for a tenant that moved away, AG012 for one that never lived here; both name the
// right region.
void require_region(const Tenant &tenant);
// The tenant, which must live here: ERROR AG008 when there is none, otherwise as above.
Tenant require(const pg_uuid_t &id);
// Locks its row and returns its status: of two operators the second sees what the first did.
// Inside pg::enter(). ERROR AG008 when there is none.
const char *lock(const pg_uuid_t &id);
// The first argument of a function; ERROR 22004 when it is null.
pg_uuid_t id_argument(FunctionCallInfo fcinfo);
[[noreturn]] void refuse_region(const char *what, const char *region);
[[noreturn]] void refuse_moved(const char *region);

// The range of a team and everything below it; false when the tenant has no such team.
bool team_range(const pg_uuid_t &tenant, const pg_uuid_t &team, int64 *ord, int64 *last_ord);
// The team that every other is below.
bool root_team(const pg_uuid_t &tenant, pg_uuid_t *team, int64 *ord, int64 *last_ord);

}  // namespace aegis::tenant

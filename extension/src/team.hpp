// SPDX-License-Identifier: Apache-2.0
// Numbers the tree of a tenant's teams depth-first with gaps: a team's range holds the ranges of
// all teams below it, and a new team never moves another. docs/team.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::team {

// The range of the root team. Each level divides its parent's range into kChildren parts, which
// allows six levels below the root.
inline constexpr int64 kFirst = 1;
inline constexpr int64 kLast = int64{1} << 62;
inline constexpr int64 kChildren = 1024;

// Makes the root team of a new tenant, named after it. Runs SPI as the current user.
void create_root(const pg_uuid_t &tenant, const char *name);

}  // namespace aegis::team

// SPDX-License-Identifier: Apache-2.0
// Where a tenant lives and what its requests may take, for ways in that name the tenant by
// themselves: webhooks and links.
#pragma once

#include "limit.hpp"
#include "pg/postgres.hpp"

namespace aegis::tenant {

struct Home {
    int64 team_ord, team_last_ord;  // of the root team
    limit::Limits limits;
    char region[17];
};

enum class Place { here, inactive, moved, misdirected };
// Holds the numbers of the tenant's teams still for this transaction. The region is filled for
// every place but inactive.
Place find_home(const pg_uuid_t &tenant, Home *home);

}  // namespace aegis::tenant

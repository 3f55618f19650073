// SPDX-License-Identifier: Apache-2.0
// Tables of which a tenant's own log knows nothing: what happens to them stands in the system's
// log. docs/withheld.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::withheld {

// Whether changes of a table, and reveals of its fields, are withheld from the log of the tenant.
bool holds(Oid relation);

}  // namespace aegis::withheld

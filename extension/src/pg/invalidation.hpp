// SPDX-License-Identifier: Apache-2.0
// Tells caches that a relation changed. PostgreSQL has room for ten such callbacks in a process,
// its own included, so all of ours share one.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// Calls the function with the relation's OID, InvalidOid for all of them, whenever an invalidation
// arrives; it may only mark. Registering twice is harmless.
void on_relation_change(void (*callback)(Datum, Oid));

}  // namespace aegis::pg

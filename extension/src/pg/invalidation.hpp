// SPDX-License-Identifier: Apache-2.0
// Tells caches that a relation or a row of a system catalog changed. PostgreSQL has room for ten
// callbacks of the first kind and 64 of the second in a process, its own and other extensions'
// included, and one too many ends the process: so ours share one, and one for each catalog cache.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// Calls the function with the relation's OID, InvalidOid for all of them, whenever an invalidation
// arrives; it may only mark. Registering twice is harmless.
void on_relation_change(void (*callback)(Datum, Oid));
// Calls the function with the argument, the cache and the hash of the changed row's key there, 0
// for all of them, as SyscacheCallbackFunction says. Also only marks; twice is harmless too.
void on_catalog_change(int cache, SyscacheCallbackFunction callback, Datum argument = 0);

}  // namespace aegis::pg

// SPDX-License-Identifier: Apache-2.0
// Whether this database has the extension. The library is loaded for every database of the server;
// in one without the extension it leaves everything as PostgreSQL has it.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// Remembered until a schema changes. True outside a transaction, where catalogs cannot be read.
bool is_installed();

}  // namespace aegis::pg

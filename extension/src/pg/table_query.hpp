// SPDX-License-Identifier: Apache-2.0
// Queries of our own over tables of users with a superuser's rights, whom no policy binds. A name
// may be given to something else between the look-up and the query: to a view, whose functions
// would run with these rights. So tables are known by OID, and a query that reaches anything else
// is not run.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// Opens a SELECT for SPI_cursor_fetch(). `tables`: OIDs of all tables and sequences in it, which
// are locked. `$1` in it is the tenant, unless that is nullptr. `snapshot`: InvalidSnapshot for
// a new one, which sees what this transaction has done. Needs an SPI connection; the caller becomes
// the superuser before, and stays it until the last row. ERROR 55006 when a name is another's now.
Portal open_table_query(const char *text, const List *tables, const pg_uuid_t *tenant,
                        Snapshot snapshot);
// Whether it finds a row; of a query with a side effect the first row's.
bool finds_row(const char *text, const List *tables, const pg_uuid_t &tenant);

}  // namespace aegis::pg

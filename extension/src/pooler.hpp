// SPDX-License-Identifier: Apache-2.0
// What stands between the clients and a login, and so what a transaction may leave of the
// protocol's prepared statements. docs/pooler.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pooler {

enum Kind : int {
    none,         // a connection is one client's: statements last as long as it
    transaction,  // the pooler gives it to another client after each transaction
    tracking,     // the same, and it keeps the named statements of its clients apart
};

// post_parse_analyze: remembers that this transaction has prepared the unnamed statement.
void note_parsed();
// Before a statement runs: ERROR 26000 for an unnamed statement that another transaction prepared,
// in a tenant session behind a pooler.
void check_portal();

void define();  // called from _PG_init, after the settings

}  // namespace aegis::pooler

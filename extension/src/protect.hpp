// SPDX-License-Identifier: Apache-2.0
// Puts tables under tenant protection, and keeps the columns of their rows true. docs/protect.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::protect {

// What the registry says of a protected table.
struct Protection {
    bool created_by;  // rows have a creator
    bool team;        // rows have a team
    Oid parent;       // table whose rows give both; InvalidOid for none
};

// False when the table is not in the registry. Runs SPI.
bool find(Oid relation, Protection *protection);

// Runs SPI as aegis_owner, for the extension's own tables; the previous user comes back also when
// it fails. Returns SPI's result code. SPI must be connected.
int execute_as_owner(const char *text, int count, Oid *types, Datum *values, const char *nulls,
                     bool read_only);

// ProcessUtility: ERROR AG010 for an ALTER TABLE that ends the row security of a protected table.
void check_statement(const PlannedStmt *statement);

// Name of a table as DDL needs it.
const char *qualified_name(Oid relation);

}  // namespace aegis::protect

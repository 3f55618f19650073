// SPDX-License-Identifier: Apache-2.0
// Keeps the roles of Aegis what they are. On PostgreSQL 15 whoever has CREATEROLE could otherwise
// grant itself the owner of the ledger; event triggers do not see roles. docs/wall.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::wall {

// ERROR AG010 for a statement, from anybody, that gives aegis_owner a member or changes it, gives a
// role of Aegis attributes, or makes a member without the right to.
void check_role_statement(const Node *statement);

}  // namespace aegis::wall

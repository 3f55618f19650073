// SPDX-License-Identifier: Apache-2.0
// What tenant sessions may not do, enforced outside the catalogs: the restrictive predicate, default
// deny for relations, the statement guard, the function deny list, the gateway's allow-list.
// docs/wall.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::wall {

List *restrictive_policies(CmdType command, Relation relation);
// ExecutorCheckPerms: ERROR AG009/AG001 for a relation that a tenant session may not touch.
void check_relations(List *range_table);
// ProcessUtility: ERROR AG010 for a statement that a tenant session may not run.
void check_statement(PlannedStmt *statement);
// Object access: ERROR for a function that a tenant session may not execute.
void check_function(Oid function);

void define();

}  // namespace aegis::wall

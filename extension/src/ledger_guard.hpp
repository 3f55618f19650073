// SPDX-License-Identifier: Apache-2.0
// Refuses, below the triggers and for everyone, plans, statements and catalog changes that would
// alter the ledger, and functions that would do it below all of these. Compares OIDs, never names.
// docs/ledger.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ledger_guard {

void define();
// Whether each call must be seen, whoever makes it: plans, indexes, aggregates, the protocol.
bool is_surgery(Oid function);
void check_function(Oid function);
void check_relations(List *range_table);
void check_statement(PlannedStmt *statement);
void check_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg);

}  // namespace aegis::ledger_guard

// SPDX-License-Identifier: Apache-2.0
// Changes of roles, grants and settings become entries: at the end of the transaction that made
// them, and by the worker when they were made where nobody looked. docs/watch.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::watch {

// Notes that a statement, about to run, may change what is watched.
void expect_change(const PlannedStmt *statement);
// For the worker: looks for what was changed in another database, in a file, or without the
// library.
void tend();

void define();  // transaction and invalidation callbacks; called from ledger::define()

}  // namespace aegis::watch

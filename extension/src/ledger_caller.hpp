// SPDX-License-Identifier: Apache-2.0
// Whose code runs. The functions of the extension that are named here may change the tables beside
// the ledger, and nobody else; code of somebody else that is called while our own changes the
// ledger, an event trigger for example, finds the guard standing.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ledger_caller {

// For the hooks of function calls. Hot: asked for every function that is looked up.
bool needs_watching(Oid function);
// Each call of a function that has the owner's rights or settings of its own, or that is watched.
void enter(const FmgrInfo *function);
void leave(const FmgrInfo *function);

void define();  // invalidation callback; called from ledger::define()

}  // namespace aegis::ledger_caller

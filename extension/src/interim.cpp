// SPDX-License-Identifier: Apache-2.0
// Weak bodies for the first days: each disappears when its concept's file arrives.
#include "ledger_guard.hpp"
#include "worker.hpp"
#define WEAK __attribute__((weak))
namespace aegis {
namespace ledger_guard {
WEAK void check_relations(List *) {}
WEAK void check_statement(PlannedStmt *) {}
WEAK void check_object(ObjectAccessType, Oid, Oid, int, void *) {}
}  // namespace ledger_guard
#include "stored_constant.hpp"
#include "worker.hpp"
#define WEAK __attribute__((weak))
namespace aegis {
namespace stored_constant {
WEAK void check_object(ObjectAccessType, Oid, Oid, int, void *) {}
}  // namespace stored_constant
}  // namespace aegis

// SPDX-License-Identifier: Apache-2.0
// Weak bodies for the first days: each disappears when its concept's file arrives.
#include "field.hpp"
#include "job.hpp"
#include "ledger_guard.hpp"
#include "stored_constant.hpp"
#include "worker.hpp"
#define WEAK __attribute__((weak))
namespace aegis {
namespace job {
WEAK bool run_next() { return false; }
}  // namespace job
namespace field {
WEAK const Field *find(uint32_t) { return nullptr; }
WEAK struct varlena *seal(const pg_uuid_t &, const Field &, core::ByteView) { return nullptr; }
WEAK void define() {}
}  // namespace field
namespace ledger_guard {
WEAK void check_relations(List *) {}
WEAK void check_statement(PlannedStmt *) {}
WEAK void check_object(ObjectAccessType, Oid, Oid, int, void *) {}
}  // namespace ledger_guard
namespace stored_constant {
WEAK void check_object(ObjectAccessType, Oid, Oid, int, void *) {}
}  // namespace stored_constant
}  // namespace aegis

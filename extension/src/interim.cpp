// SPDX-License-Identifier: Apache-2.0
// Weak bodies for the first days: each disappears when its concept's file arrives.
#include "charge.hpp"
#include "field.hpp"
#include "job.hpp"
#include "ledger.hpp"
#include "key.hpp"
#include "ledger_guard.hpp"
#include "stored_constant.hpp"
#include "worker.hpp"
#define WEAK __attribute__((weak))
namespace aegis {
namespace charge {
WEAK int open(const Order &) { return 0; }
WEAK void count_reveal(const pg_uuid_t &, uint32_t, uint64_t) {}
WEAK void settle(int) {}
WEAK int pending_sign_ins(const pg_uuid_t &, int) { return 0; }
WEAK void set_origin(const char *, const char *, const char *) {}
WEAK int collect() { return 0; }
WEAK void forget(Oid) {}
WEAK Usage usage() { return {}; }
WEAK void define() {}
}  // namespace charge
namespace job {
WEAK bool run_next() { return false; }
}  // namespace job
namespace seal {
int pass();
WEAK int pass() { return 0; }
}  // namespace seal
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

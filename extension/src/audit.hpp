// SPDX-License-Identifier: Apache-2.0
// Captures the changes of audited tables: one entry row.changed for every row inserted, updated or
// deleted, and one for every TRUNCATE. docs/audit.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::audit {

void define();  // invalidation of cached column plans; called from ledger::define()

}  // namespace aegis::audit

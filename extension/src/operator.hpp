// SPDX-License-Identifier: Apache-2.0
// Break-glass: an operator takes the context of one tenant for one transaction. docs/operator.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::operator_way {

// Bytes of what an operator gives as reason and ticket: both fit into a charge, so that the entry
// of a transaction that was rolled back says as much as any other.
inline constexpr size_t kReasonBytes = 160;
inline constexpr size_t kTicketBytes = 64;

// What an operator must say for the ledger: the argument of that number, or ERROR when it is blank
// or too long.
const char *required_text(FunctionCallInfo fcinfo, int argument, const char *name, size_t most);

}  // namespace aegis::operator_way

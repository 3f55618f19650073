// SPDX-License-Identifier: Apache-2.0
// Break-glass: an operator takes the context of one tenant for one transaction. docs/operator.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::operator_way {

// How long an assumed context lasts at most, in seconds.
inline constexpr int kTimeBoxSeconds = 900;
// Bytes of what an operator gives as reason and ticket: both fit into a charge, so that the entry
// of a transaction that was rolled back says as much as any other.
inline constexpr size_t kReasonBytes = 160;
inline constexpr size_t kTicketBytes = 64;

}  // namespace aegis::operator_way

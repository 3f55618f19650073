// SPDX-License-Identifier: Apache-2.0
// Chains what has committed since the last seal: appends each tenant's entries to the tenant's log,
// the heads of the changed logs to the root log, and the root log's head to the chain of seals.
// docs/seal.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::seal {

// Entries (leaves) that one row of aegis.seal_leaves names.
inline constexpr int kChunk = 200;

// Seals in the caller's transaction, which must be READ COMMITTED and commit synchronously. Returns
// the number of entries sealed. Needs the owner's rights. ERROR when the ledger was restored from
// elsewhere and no new epoch has begun.
int pass();

// When a timeout that begins at this moment is over, on worker::now_micros()'s clock.
int64_t end_of(Datum timeout);
// Waits until everything that has committed is sealed; number of the newest seal. ERROR AG017 when
// that is not so at `end`.
int64 wait(int64_t end);

void define();

}  // namespace aegis::seal

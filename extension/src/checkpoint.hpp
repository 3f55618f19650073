// SPDX-License-Identifier: Apache-2.0
// Has the head of the root log signed by a process outside the server, and keeps what it signed.
// docs/checkpoint.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::checkpoint {

enum class Standing : uint32_t {
    off,       // no signer is configured
    waiting,   // nothing was asked for yet
    signing,   // the last head was signed
    hindered,  // the signer cannot be reached, or something is configured wrongly
    refused,   // the signer knows more than this ledger, or something else
};
const char *name_of(Standing standing);

// For health checks: how signing stands in this database, and the milliseconds since everything
// that was sealed was signed, or since the worker first looked; -1 before that.
Standing standing();
int64 lag_ms();
// False when the lag is longer than a signer that is being restarted explains, or on a refusal.
bool is_well();

// The worker's step: asks for a signature when the root log grew and the interval is over. Waits
// for the signer for a second at most. Runs in the worker's transaction, with the owner's rights.
void tend();

}  // namespace aegis::checkpoint

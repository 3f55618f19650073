// SPDX-License-Identifier: Apache-2.0
// Has checkpoints cosigned by others and keeps what they said: the questions go out by the outbox,
// and what comes back is verified here. docs/witness.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::witness {

enum class Standing {
    off,       // no witness is registered
    waiting,   // there is no checkpoint yet
    cosigned,  // those that are required cosigned all that is signed, or were asked a moment ago
    late,      // not for a minute and two intervals of checkpoints
    stale,     // not for ten minutes
    refused,   // a witness knows more than this ledger, or something else
};
const char *name_of(Standing standing);

struct Health {
    Standing standing;
    int64 lag_ms;  // since when something is not cosigned; -1 when everything is
};
// For health checks. Opens an SPI connection of its own.
Health health();

// The worker's step: asks witnesses about a new checkpoint. Runs in the worker's transaction, with
// the owner's rights.
void tend();

}  // namespace aegis::witness

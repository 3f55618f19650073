// SPDX-License-Identifier: Apache-2.0
// Has checkpoints left outside of this machine and keeps what came back: they go out by the outbox,
// and a time stamp is verified here. docs/anchor.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::anchor {

struct Health {
    // off: no anchor is registered; waiting: there is no checkpoint yet; anchored; late: an anchor
    // is behind for a minute more than its interval; stale: for ten more than two; refused: one
    // holds another history.
    const char *standing;
    bool is_well;  // neither stale nor refused
    int64 lag_ms;  // since when something is signed that an anchor has not; -1 for nothing
};
// For health checks. Opens an SPI connection of its own.
Health health();

// The worker's step: sends what is due. Runs in the worker's transaction, with the owner's rights.
void tend();

}  // namespace aegis::anchor

// SPDX-License-Identifier: Apache-2.0
// One request to the signer, over its Unix socket, within a deadline.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::checkpoint {

inline constexpr size_t kMaxReplyBytes = 4096;

struct Reply {
    const char *fault;  // nullptr: the signer answered; otherwise why it did not
    int error;          // errno behind the fault, or 0
    size_t size;
    char text[kMaxReplyBytes + 1];  // with a terminator
};

// Fails with a fault, never with an ERROR, but for interrupts of this process.
void ask(const char *path, core::ByteView request, int millis, Reply *reply);

}  // namespace aegis::checkpoint

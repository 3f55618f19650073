// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key: a request that is sent again under its key is answered from what the first one
// was answered, and does nothing. docs/idempotency.md.
#pragma once

#include "handle.hpp"

namespace aegis::idempotency {

struct Key {
    bool present;
    uint8_t scope[32];        // who, which route, which key
    uint8_t fingerprint[32];  // what was asked for
};

// Takes the key of a request whose caller is known, for the rest of the transaction. False: the
// answer is there already, a replay or a refusal.
bool begin(handle::Exchange *exchange, const route::Route &route, Key *key);
// Keeps the answer of the handler, unless the same request may fare better later.
void keep(const handle::Exchange &exchange, const route::Route &route, const Key &key);

}  // namespace aegis::idempotency

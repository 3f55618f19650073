// SPDX-License-Identifier: Apache-2.0
// Secrets on the stack, where an ERROR would leave them: no destructor runs then.
#pragma once

#include "core/bytes.hpp"
#include "pg/postgres.hpp"

namespace aegis::pg {

// Runs `body`, and wipes `secret` after it, also when it ends with an ERROR.
void wiping(core::ByteSpan secret, void (*body)(void *), void *argument);

template <typename Body>
void wiping(core::ByteSpan secret, Body &&body) {
    wiping(
        secret, [](void *argument) { (*static_cast<std::remove_reference_t<Body> *>(argument))(); },
        &body);
}

}  // namespace aegis::pg

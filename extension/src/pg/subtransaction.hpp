// SPDX-License-Identifier: Apache-2.0
// Runs code that may fail without failing the transaction around it.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// Runs body(argument) in a subtransaction. nullptr: done and kept. Otherwise its work is rolled
// back and the error is returned, allocated in the caller's memory context.
ErrorData *try_in_subtransaction(void (*body)(void *), void *argument);

template <typename Body>
ErrorData *try_in_subtransaction(Body &body) {
    return try_in_subtransaction([](void *argument) { (*static_cast<Body *>(argument))(); },
                                 static_cast<void *>(&body));
}

}  // namespace aegis::pg

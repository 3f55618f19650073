// SPDX-License-Identifier: Apache-2.0
// Whether a password is known from a breach, by a local file. docs/breached.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::breached {

enum class Answer { unknown, known, unreadable };
// unknown also when there is no list; unreadable when there is one that cannot be read, which is
// written to the server log.
Answer look_up(core::ByteView password);
// ERROR 22023 when it is known, 58030 when the list cannot be read: then no password is set.
void require_unknown(core::ByteView password);

}  // namespace aegis::breached

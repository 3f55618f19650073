// SPDX-License-Identifier: Apache-2.0
// The server's log never shows card data: what a line of a database with Aegis would say is looked
// into before it leaves. docs/scrub.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::scrub {

// For the hook, in whatever state the backend is: never raises an error.
void clean_log(ErrorData *line);

}  // namespace aegis::scrub

// SPDX-License-Identifier: Apache-2.0
// Takes in a tenant that another database exported. docs/tenant_import.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::tenant_import {

// True while this process writes rows of an imported tenant: they keep their creators and teams,
// and their images are in the log that came with them.
bool is_under_way();

}  // namespace aegis::tenant_import

// SPDX-License-Identifier: Apache-2.0
// Classes of columns are PostgreSQL's security labels: dumps carry them, renames keep them, and
// what drops the column drops them. docs/classification.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::classification {

// ERROR for what no column of this relation may be labelled with.
void check_label(Oid relation, const char *label);

}  // namespace aegis::classification

// SPDX-License-Identifier: Apache-2.0
// Refuses unsealed constants in the catalogs: they die with the server run. docs/sealed.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::stored_constant {

// Object access: ERROR AG011 for an object whose stored expressions hold an unsealed constant.
void check_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg);
// After ProcessUtility, for statements of which needs_check() said so before: ERROR AG011 for a
// table that is partitioned by a sealed column, and for a sealed column that was added with a
// default.
bool needs_check(PlannedStmt *statement);
void check_statement_done(PlannedStmt *statement);

}  // namespace aegis::stored_constant

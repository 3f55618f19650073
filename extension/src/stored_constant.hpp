// SPDX-License-Identifier: Apache-2.0
// Refuses unsealed constants in the catalogs: they die with the server run. docs/sealed.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::stored_constant {

void check_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg);

}  // namespace aegis::stored_constant

// SPDX-License-Identifier: Apache-2.0
// What encrypt_column() needs for a field that is bound to a data subject or to its row.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::field {

// SQL for a table's bond: empty texts for a field without one.
struct BondTerms {
    const char *check;      // further arguments of is_sealed_for(): ", subject_id, ROW(id)"
    const char *seal;       // further arguments of seal_bound(), a null for what is not bound
    const char *subject;    // name of the column, or nullptr
    const char *key_types;  // "{uuid,bigint}", or nullptr
};

// Reads the catalogs. ERROR 42703, 42804, 42P16 when the table cannot keep the promise.
BondTerms bond_terms(Oid table, const char *column, const char *subject, bool row_bound);

}  // namespace aegis::field

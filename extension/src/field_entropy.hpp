// SPDX-License-Identifier: Apache-2.0
// Whether a column has too few different values to be searchable. Equal values of a tenant have
// equal search tokens, and where values are few, how often each occurs tells which is which.
// docs/field.md, "Few values".
#pragma once

#include "field_register.hpp"

namespace aegis::field::entropy {

// Why the values of a column are too few for the type, in numbers and never with a value; nullptr
// when they are not, or too few rows are there to tell. Past row security: the caller checks who
// asks. Without wait, a table that somebody locks is taken for empty.
const char *reason(Oid table, const char *column, const sealed::Type &type, bool wait);

// ERROR 55000 when the order has not confirmed that the values are few.
void refuse(const Order &order);

// Remembers that the order confirms it for a field that is registered already, and records it.
// False when there was nothing to remember.
bool confirm(const Order &order);

// The fewest values that a CHECK of the table, or of the column's domain, leaves the column; 0 when
// none says.
int listed_values(Relation relation, AttrNumber number);

}  // namespace aegis::field::entropy

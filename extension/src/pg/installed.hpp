// SPDX-License-Identifier: Apache-2.0
// Whether this database has the extension. The library is loaded for every database of the server;
// in one without the extension it leaves everything as PostgreSQL has it.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

namespace detail {

enum class Known { nothing, installed, not_installed };

extern Known installation;
bool look_for_installation();

}  // namespace detail

// Remembered until a schema changes. True outside a transaction, where catalogs cannot be read.
inline bool is_installed() {
    if (detail::installation == detail::Known::nothing) return detail::look_for_installation();
    return detail::installation == detail::Known::installed;
}

// Whether the answer is remembered: not while CREATE EXTENSION has made no more than the schema.
inline bool is_installation_known() {
    return detail::installation != detail::Known::nothing;
}

}  // namespace aegis::pg

// SPDX-License-Identifier: Apache-2.0
// DDL on protected and captured tables becomes an entry, unless Aegis itself runs it on somebody's
// behalf: then another entry says what was done. docs/ddl_guard.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ddl_guard {

namespace detail {
extern bool own_open;
}

// DDL of a function of ours runs inside own_statements().
template <typename Body>
void own_statements(Body &&body) {
    bool before = detail::own_open;
    detail::own_open = true;
    PG_TRY();
    { body(); }
    PG_FINALLY();
    { detail::own_open = before; }
    PG_END_TRY();
}

}  // namespace aegis::ddl_guard

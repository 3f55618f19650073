// SPDX-License-Identifier: Apache-2.0
// DDL on protected and captured tables becomes an entry, unless Aegis itself runs it on somebody's
// behalf: then another entry says what was done. docs/ddl_guard.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ddl_guard {

namespace detail {
struct Own {
    bool open, restricted;
};
extern Own own;
}  // namespace detail

// DDL of a function of ours runs inside own_statements(); nothing that calls code of somebody else,
// as queries and changes of rows do.
template <typename Body>
void own_statements(Body &&body) {
    detail::Own before = detail::own;
    detail::own = {true, InSecurityRestrictedOperation()};
    PG_TRY();
    { body(); }
    PG_FINALLY();
    { detail::own = before; }
    PG_END_TRY();
}

// Whether a function of ours runs the statement. What a function in an index does while that is
// built, restricted as it is then, is not ours.
inline bool is_own() {
    return detail::own.open && detail::own.restricted == InSecurityRestrictedOperation();
}

}  // namespace aegis::ddl_guard

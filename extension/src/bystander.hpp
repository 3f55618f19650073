// SPDX-License-Identifier: Apache-2.0
// A session of a database without the extension, of a login that is nothing to Aegis: the hooks
// have nothing to say in it. docs/bystander.md.
#pragma once

#include "pg/installed.hpp"

namespace aegis::bystander {

namespace detail {

extern Oid known_user;  // for whom it was found; InvalidOid, which nobody is: nothing is known
bool look();

}  // namespace detail

// The same without a look: false while nobody has asked in this session.
inline bool is_known() {
    return detail::known_user == GetSessionUserId();
}

// Hot: asked once per function of every statement.
inline bool is_session() {
    if (detail::known_user == GetSessionUserId()) return true;
    return !pg::is_installed() && detail::look();
}

}  // namespace aegis::bystander

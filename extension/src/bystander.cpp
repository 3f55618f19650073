// SPDX-License-Identifier: Apache-2.0
#include "bystander.hpp"

#include "context.hpp"
#include "pg/compat.hpp"
#include "pg/invalidation.hpp"
#include "role.hpp"

namespace aegis::bystander::detail {

Oid known_user = InvalidOid;

namespace {

void forget(Datum, int, uint32) {
    known_user = InvalidOid;
}

}  // namespace

// Members and the gateway stay behind the walls in every database: roles belong to the server. One
// where Aegis was never installed has no owner of its objects, and one look-up tells.
bool look() {
    static bool registered = false;
    if (!registered) {
        pg::on_catalog_change(NAMESPACEOID, forget);
        pg::on_catalog_change(AUTHOID, forget);
        pg::on_catalog_change(AUTHMEMROLEMEM, forget);
    }
    registered = true;
    if (!IsTransactionState()) return false;
    Oid user = GetSessionUserId();
    known_user = user;  // forgotten again by what arrives while we look
    bool stranger =
        !pg::is_installed() && context::current() == nullptr &&
        (!OidIsValid(role::owner()) || role::session_kind() == role::SessionKind::unrestricted);
    if (!stranger || !pg::is_installation_known()) known_user = InvalidOid;
    return stranger;
}

}  // namespace aegis::bystander::detail

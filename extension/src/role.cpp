// SPDX-License-Identifier: Apache-2.0
#include "role.hpp"

#include "pg/invalidation.hpp"

namespace aegis::role {

namespace {

struct Cache {  // of one session; role changes reset it
    bool valid;
    Oid session_user;
    SessionKind kind;
} cache;

// Asked for in every statement and every function that a member calls. Numbers of roles that do not
// exist are not kept.
struct Known {
    const char *name;
    Oid role;
};
Known owner_role = {"aegis_owner", InvalidOid};
Known gateway_role = {"aegis_gateway", InvalidOid};
Known member_role = {"aegis_member", InvalidOid};
Known operator_role = {"aegis_operator", InvalidOid};
Known auditor_role = {"aegis_auditor", InvalidOid};
Known payment_service_role = {"aegis_payment_service", InvalidOid};

uint64 changes = 0;  // seen of pg_authid and memberships

void forget(Datum, int, uint32) {
    changes++;
    cache.valid = false;
    for (Known *known : {&owner_role, &gateway_role, &member_role, &operator_role, &auditor_role,
                         &payment_service_role})
        known->role = InvalidOid;
}

Oid oid_of(Known &known) {
    if (OidIsValid(known.role)) return known.role;
    uint64 before = changes;
    Oid role = get_role_oid(known.name, true);
    if (before == changes) known.role = role;  // else it may be the past already
    return role;
}

bool is_member(Oid user, Oid group) {
    return OidIsValid(group) && is_member_of_role_nosuper(user, group);
}

}  // namespace

Oid owner() {
    return oid_of(owner_role);
}
Oid gateway() {
    return oid_of(gateway_role);
}
Oid member() {
    return oid_of(member_role);
}
Oid operator_() {
    return oid_of(operator_role);
}
Oid auditor() {
    return oid_of(auditor_role);
}
Oid payment_service() {
    return oid_of(payment_service_role);
}

SessionKind session_kind() {
    // A worker of a parallel query inherits the leader's session user.
    Oid user = GetSessionUserId();
    if (cache.valid && cache.session_user == user) return cache.kind;
    SessionKind kind = SessionKind::unrestricted;
    if (is_member(user, gateway()))
        kind = SessionKind::gateway;
    else if (is_member(user, member()))
        kind = SessionKind::member;
    cache = {true, user, kind};
    return kind;
}

bool bypasses_row_security(Oid role) {
    return superuser_arg(role) || has_bypassrls_privilege(role);
}

void define() {
    pg::on_catalog_change(AUTHOID, forget);
    pg::on_catalog_change(AUTHMEMROLEMEM, forget);
}

}  // namespace aegis::role

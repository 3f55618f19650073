// SPDX-License-Identifier: Apache-2.0
#include "role.hpp"

namespace aegis::role {

namespace {

struct Cache {  // of one session; role changes reset it
    bool valid;
    Oid session_user;
    SessionKind kind;
} cache;

void forget(Datum, int, uint32) {
    cache.valid = false;
}

Oid by_name(const char *name) {
    return get_role_oid(name, true);
}

bool is_member(Oid user, Oid group) {
    return OidIsValid(group) && is_member_of_role_nosuper(user, group);
}

}  // namespace

Oid owner() {
    return by_name("aegis_owner");
}
Oid gateway() {
    return by_name("aegis_gateway");
}
Oid member() {
    return by_name("aegis_member");
}
Oid operator_() {
    return by_name("aegis_operator");
}
Oid auditor() {
    return by_name("aegis_auditor");
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
    CacheRegisterSyscacheCallback(AUTHOID, forget, 0);
    CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget, 0);
}

}  // namespace aegis::role

// SPDX-License-Identifier: Apache-2.0
// The database roles of Aegis by OID, and what kind of session this is. A session is a tenant
// session by its session user, from connect on, whether or not a context is set.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::role {

enum class SessionKind {
    unrestricted,  // administrators, owners, operators, auditors
    member,        // session user is a member of aegis_member
    gateway,       // session user is aegis_gateway or a member of it
};

// Kind of the current session; cached until roles change. May ereport.
SessionKind session_kind();
inline bool is_tenant_session() {
    return session_kind() != SessionKind::unrestricted;
}

// InvalidOid while the extension is not installed in this cluster.
Oid owner();
Oid gateway();
Oid member();
Oid operator_();
Oid auditor();
Oid payment_service();

// True for superusers and roles with BYPASSRLS.
bool bypasses_row_security(Oid role);

void define();  // registers cache invalidation; called from _PG_init

}  // namespace aegis::role

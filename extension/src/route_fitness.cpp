// SPDX-License-Identifier: Apache-2.0
// Which function may be a handler.
#include "role.hpp"
#include "route.hpp"

namespace aegis::route {

namespace {

Oid row_type(const char *name) {
    Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                               ObjectIdGetDatum(get_namespace_oid("aegis", false)));
    if (!OidIsValid(type))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("type \"aegis.%s\" does not exist", name)));
    return type;
}

}  // namespace

Oid request_type() {
    return row_type("request");
}

Oid response_type() {
    return row_type("response");
}

namespace {

// Handlers found fit, until a catalog changes that says so.
constexpr Oid kMostFit = 64;
Oid fit[kMostFit];
uint64 changes = 0;

void forget(Datum, int, uint32) {
    changes++;
    memset(fit, 0, sizeof fit);
}

const char *judge(Oid handler) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(handler));
    if (!HeapTupleIsValid(tuple)) return "it does not exist";
    Form_pg_proc function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const char *reason = nullptr;
    Oid owner = function->proowner;
    if (function->prokind != PROKIND_FUNCTION || function->pronargs != 1 || function->proretset ||
        function->proargtypes.values[0] != request_type() ||
        function->prorettype != response_type())
        reason = "it is not a function (aegis.request) returns aegis.response";
    else if (function->prosecdef)
        reason = "it is SECURITY DEFINER";
    else if (is_member_of_role_nosuper(owner, role::gateway()))
        reason = "its owner is a member of aegis_gateway";
    else if (pg_proc_aclcheck(handler, role::member(), ACL_EXECUTE) != ACLCHECK_OK)
        reason = "aegis_member may not execute it";
    ReleaseSysCache(tuple);
    return reason;
}

}  // namespace

const char *unfitness(Oid handler) {
    Oid &known = fit[handler % kMostFit];
    if (OidIsValid(handler) && known == handler) return nullptr;
    uint64 before = changes;
    const char *reason = judge(handler);
    if (reason == nullptr && before == changes) known = handler;
    return reason;
}

void define_fitness() {
    // The function, its types and their schema, and whom its owner and aegis_member are members of.
    for (int catalog : {PROCOID, TYPEOID, NAMESPACEOID, AUTHOID, AUTHMEMROLEMEM, DATABASEOID})
        CacheRegisterSyscacheCallback(catalog, forget, 0);
}

}  // namespace aegis::route

// SPDX-License-Identifier: Apache-2.0
// Which function may be a handler, and how it is called.
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "route.hpp"

namespace aegis::route {

namespace {

// The rows of requests and answers, until a type changes.
struct Row {
    const char *name;
    Oid type;
};
Row request = {"request", InvalidOid};
Row response = {"response", InvalidOid};
Row answer = {"answer", InvalidOid};

// Handlers found fit, until a catalog changes that says so.
struct Fit {
    Oid handler;
    PGFunction language;  // that runs it; nullptr: called as PostgreSQL would
};
constexpr Oid kMostFit = 64;
Fit fit[kMostFit];
uint64 changes = 0;

void forget(Datum, int, uint32) {
    changes++;
    memset(fit, 0, sizeof fit);
    request.type = response.type = answer.type = InvalidOid;
}

Oid type_of(Row &row) {
    if (OidIsValid(row.type)) return row.type;
    uint64 before = changes;
    Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(row.name),
                               ObjectIdGetDatum(get_namespace_oid("aegis", false)));
    if (!OidIsValid(type))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("type \"aegis.%s\" does not exist", row.name)));
    if (before == changes) row.type = type;
    return type;
}

bool sets_only_the_path(HeapTuple function) {
    bool is_null;
    Datum settings = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proconfig, &is_null);
    if (is_null) return false;
    Datum *values;
    int count;
    deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &values,
                      nullptr, &count);
    return count == 1 && strcmp(TextDatumGetCString(values[0]), pg::kPinnedSetting) == 0;
}

PGFunction language_of(Oid handler) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(handler));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
    bool spared = sets_only_the_path(tuple);
    ReleaseSysCache(tuple);
    HeapTuple found = spared ? SearchSysCache1(LANGOID, ObjectIdGetDatum(language)) : nullptr;
    if (!HeapTupleIsValid(found)) return nullptr;
    Oid caller = reinterpret_cast<Form_pg_language>(GETSTRUCT(found))->lanplcallfoid;
    ReleaseSysCache(found);
    if (!OidIsValid(caller)) return nullptr;  // internal, C and SQL
    FmgrInfo info;
    fmgr_info(caller, &info);
    return info.fn_addr;
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

Oid request_type() {
    return type_of(request);
}
Oid response_type() {
    return type_of(response);
}
Oid answer_type() {
    return type_of(answer);
}

const char *unfitness(Oid handler) {
    Fit &known = fit[handler % kMostFit];
    if (OidIsValid(handler) && known.handler == handler) return nullptr;
    uint64 before = changes;
    const char *reason = judge(handler);
    if (reason != nullptr) return reason;
    PGFunction language = language_of(handler);
    if (before == changes) known = {handler, language};
    return nullptr;
}

void find_call(Oid handler, FmgrInfo *function) {
    fmgr_info(handler, function);
    const Fit &known = fit[handler % kMostFit];
    if (known.handler != handler || known.language == nullptr || FmgrHookIsNeeded(handler)) return;
    function->fn_addr = known.language;
    function->fn_stats = TRACK_FUNC_OFF;  // counted with the others of such languages
}

void define_fitness() {
    // The function, its types, their schema and its language, and whom its owner and aegis_member
    // are members of.
    for (int catalog :
         {PROCOID, TYPEOID, NAMESPACEOID, LANGOID, AUTHOID, AUTHMEMROLEMEM, DATABASEOID})
        pg::on_catalog_change(catalog, forget);
}

}  // namespace aegis::route

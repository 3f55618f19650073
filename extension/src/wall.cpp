// SPDX-License-Identifier: Apache-2.0
// Whom the walls bind, which of them are switched off, and the restrictive predicate. Relations,
// statements and functions have a file each.
#include "wall.hpp"

#include "guc.hpp"
#include "pg/compat.hpp"
#include "pg/installed.hpp"
#include "role.hpp"

namespace aegis::wall {

namespace {

constexpr Oid kUuidEqual = 2972;  // pg_catalog.=(uuid, uuid)

// aegis.tenant_id(), InvalidOid where the extension is not installed. A syscache look-up, so a
// database without the extension pays next to nothing.
Oid tenant_getter() {
    Oid schema = get_namespace_oid("aegis", true);
    if (!OidIsValid(schema)) return InvalidOid;
    oidvector *no_arguments = buildoidvector(nullptr, 0);
    Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("tenant_id"),
                                   PointerGetDatum(no_arguments), ObjectIdGetDatum(schema));
    pfree(no_arguments);
    return function;
}

bool member_acted = false;  // in this transaction

// currval() and lastval() would give the next client of a pooled session another one's numbers.
void forget_sequences(XactEvent event, void *) {
    if (!member_acted || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)) return;
    member_acted = false;
    ResetSequenceCaches();
}

AttrNumber tenant_column(Oid relation) {
    AttrNumber column = get_attnum(relation, "tenant_id");
    if (column == InvalidAttrNumber || get_atttype(relation, column) != UUIDOID)
        return InvalidAttrNumber;
    return column;
}

}  // namespace

Rules rules_in_force() {
    role::SessionKind kind = role::session_kind();
    if (kind == role::SessionKind::unrestricted) return Rules::none;
    if (kind == role::SessionKind::member) member_acted = true;
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    if (user == role::owner()) return Rules::none;
    // Only code that aegis_owner or another definer started carries the flag; SET ROLE does not.
    if (kind == role::SessionKind::gateway &&
        (!(security & SECURITY_LOCAL_USERID_CHANGE) || user == GetSessionUserId()))
        return Rules::gateway;
    return Rules::member;
}

bool has_tenant_rows(Oid relation, bool *forced) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return false;
    Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    bool row_security = form->relrowsecurity;
    *forced = form->relforcerowsecurity;
    ReleaseSysCache(tuple);
    return row_security && tenant_column(relation) != InvalidAttrNumber;
}

List *restrictive_policies(CmdType, Relation relation) {
    if (!guc::restrictive_wall || !pg::is_installed()) return NIL;
    AttrNumber column = tenant_column(RelationGetRelid(relation));
    if (column == InvalidAttrNumber) return NIL;
    Oid getter = tenant_getter();
    if (!OidIsValid(getter)) return NIL;
    // Plans are cached across contexts: the predicate calls the getter, it never holds its value.
    Expr *own = reinterpret_cast<Expr *>(makeVar(1, column, UUIDOID, -1, InvalidOid, 0));
    Expr *current = reinterpret_cast<Expr *>(
        makeFuncExpr(getter, UUIDOID, NIL, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
    OpExpr *equal = reinterpret_cast<OpExpr *>(
        make_opclause(kUuidEqual, BOOLOID, false, own, current, InvalidOid, InvalidOid));
    equal->opfuncid = get_opcode(kUuidEqual);

    RowSecurityPolicy *policy =
        static_cast<RowSecurityPolicy *>(palloc0(sizeof(RowSecurityPolicy)));
    policy->policy_name = pstrdup("aegis_tenant_wall");
    policy->polcmd = '*';
    Datum everybody = ObjectIdGetDatum(ACL_ID_PUBLIC);
    policy->roles = construct_array(&everybody, 1, OIDOID, sizeof(Oid), true, TYPALIGN_INT);
    policy->permissive = false;
    policy->qual = reinterpret_cast<Expr *>(equal);
    policy->with_check_qual = static_cast<Expr *>(copyObjectImpl(equal));
    policy->hassublinks = false;
    return list_make1(policy);
}

void read_target(Query *merge) {
    RangeTblEntry *target = rt_fetch(merge->resultRelation, merge->rtable);
    bool forced;
    if (pg::is_installed() && has_tenant_rows(target->relid, &forced))
        pg::require_read(merge, target);
}

bool matches_any(const char *name, const char *const *patterns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(patterns[i]);
        bool prefix = patterns[i][length - 1] == '*';
        if (prefix ? strncmp(name, patterns[i], length - 1) == 0 : strcmp(name, patterns[i]) == 0)
            return true;
    }
    return false;
}

int switched_off_names(const char *names[kWalls]) {
    const struct {
        const char *name;
        bool on;
    } walls[kWalls] = {
        {"aegis.restrictive_wall", guc::restrictive_wall},
        {"aegis.default_deny", guc::default_deny},
        {"aegis.statement_guard", guc::statement_guard},
        {"aegis.function_guard", guc::function_guard},
        {"aegis.ledger_guard", guc::ledger_guard},
    };
    int count = 0;
    for (const auto &wall : walls)
        if (!wall.on) names[count++] = wall.name;
    return count;
}

void define() {
    define_function();
    define_statement();
    RegisterXactCallback(forget_sequences, nullptr);
    const char *names[kWalls];
    int count = switched_off_names(names);
    for (int i = 0; i < count; i++)
        ereport(WARNING,
                (errmsg("\"%s\" is off", names[i]),
                 errdetail("Tenant sessions are not held back by this wall."),
                 errhint("Remove the line from the configuration file and restart the server.")));
}

}  // namespace aegis::wall

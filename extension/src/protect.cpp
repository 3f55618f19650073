// SPDX-License-Identifier: Apache-2.0
// protect_table and its inverse. The DDL runs as the caller, who must own the table; the registry
// is written as aegis_owner. Every step looks first, so that a second call changes nothing.
#include "protect.hpp"

#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "role.hpp"

namespace aegis::protect {

const char *qualified_name(Oid relation) {
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                      get_rel_name(relation));
}

int execute_as_owner(const char *text, int count, Oid *types, Datum *values, const char *nulls,
                     bool read_only) {
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    SetUserIdAndSecContext(role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
    int result = 0;
    PG_TRY();
    { result = SPI_execute_with_args(text, count, types, values, nulls, read_only, 0); }
    PG_FINALLY();
    { SetUserIdAndSecContext(user, security); }
    PG_END_TRY();
    return result;
}

bool find(Oid relation, Protection *protection) {
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    SPI_connect();
    execute_as_owner(
        "SELECT created_by, team, parent::pg_catalog.oid FROM aegis.protected_table "
        "WHERE relation::pg_catalog.oid OPERATOR(pg_catalog.=) $1",
        1, types, values, nullptr, false);
    bool found = SPI_processed == 1;
    if (found) {
        HeapTuple tuple = SPI_tuptable->vals[0];
        TupleDesc shape = SPI_tuptable->tupdesc;
        bool null;
        protection->created_by = DatumGetBool(SPI_getbinval(tuple, shape, 1, &null));
        protection->team = DatumGetBool(SPI_getbinval(tuple, shape, 2, &null));
        Datum parent = SPI_getbinval(tuple, shape, 3, &null);
        protection->parent = null ? InvalidOid : DatumGetObjectId(parent);
    }
    SPI_finish();
    return found;
}

namespace {

struct Order {
    Oid relation;
    Protection wanted;
    const char *tenant_from;  // nullptr when not given
    const char *name;         // qualified
};

void run(const char *text) {
    if (SPI_execute(text, false, 0) < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not run a statement of protect_table")));
}

bool answers(const char *text) {
    run(text);
    return SPI_processed > 0;
}

void check_table(const Order &order) {
    const char *name = get_rel_name(order.relation);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table does not exist")));
    if (!pg_class_ownercheck(order.relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
    Oid schema = get_rel_namespace(order.relation);
    if (IsCatalogNamespace(schema) || schema == get_namespace_oid("aegis", false))
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("table \"%s\" belongs to the system", name)));
    char kind = get_rel_relkind(order.relation);
    if (kind == RELKIND_PARTITIONED_TABLE || get_rel_relispartition(order.relation))
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("table \"%s\" is partitioned", name),
             errdetail("Row security of a partitioned table does not hold for its partitions.")));
    if (kind != RELKIND_RELATION || get_rel_persistence(order.relation) == RELPERSISTENCE_TEMP)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a permanent table", name)));
    if (has_superclass(order.relation) || has_subclass(order.relation))
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("table \"%s\" is part of an inheritance tree", name),
             errdetail(
                 "Row security of a table does not hold for the tables that inherit from it.")));
    Protection parent;
    if (OidIsValid(order.wanted.parent) &&
        !(find(order.wanted.parent, &parent) && parent.created_by && parent.team))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("parent table \"%s\" is not protected with creator and team",
                               get_rel_name(order.wanted.parent)),
                        errhint("Call aegis.protect_table() for it first.")));
}

// One error that names everything wrong, with the statements that make it right.
void check_keys(const Order &order, bool tenant_added) {
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(order.relation)};
    SPI_execute_with_args("SELECT problem, fix FROM aegis.key_findings($1)", 1, types, values,
                          nullptr, true, 0);
    if (SPI_processed == 0) return;
    StringInfoData problems, fixes;
    initStringInfo(&problems);
    initStringInfo(&fixes);
    if (tenant_added)
        appendStringInfo(&fixes, "ALTER TABLE %s ADD COLUMN tenant_id uuid;", order.name);
    for (uint64 i = 0; i < SPI_processed; i++) {
        char *problem = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
        char *fix = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
        if (problem != nullptr)  // the second statement of a fix has none
            appendStringInfo(&problems, "%s%s", problems.len ? "\n" : "", problem);
        appendStringInfo(&fixes, "%s%s", fixes.len ? "\n" : "", fix);
    }
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
             errmsg("keys of table \"%s\" reach across tenants", get_rel_name(order.relation)),
             errdetail("%s", problems.data), errhint("%s", fixes.data)));
}

void add_column(const Order &order, const char *column, Oid type, const char *first_value,
                const char *getter) {
    AttrNumber number = get_attnum(order.relation, column);
    if (number == InvalidAttrNumber) {
        run(psprintf("ALTER TABLE %s ADD COLUMN %s %s DEFAULT %s", order.name, column,
                     format_type_be_qualified(type), first_value));
    } else if (get_atttype(order.relation, number) != type) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of table \"%s\" has type %s, not %s", column,
                               get_rel_name(order.relation),
                               format_type_be(get_atttype(order.relation, number)),
                               format_type_be(type))));
    }
    run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT aegis.%s()", order.name, column,
                 getter));
}

void require_value(const Order &order, const char *column) {
    if (!answers(psprintf("SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = %u AND attname = "
                          "'%s' AND attnotnull",
                          order.relation, column)))
        run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", order.name, column));
}

void add_columns(const Order &order) {
    bool tenant_missing = get_attnum(order.relation, "tenant_id") == InvalidAttrNumber;
    check_keys(order, tenant_missing);
    if (tenant_missing && order.tenant_from == nullptr &&
        answers(psprintf("SELECT 1 FROM %s LIMIT 1", order.name)))
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                 errmsg("table \"%s\" has rows without a tenant", get_rel_name(order.relation)),
                 errhint("Pass tenant_from, an expression that gives the tenant of a row.")));
    // A row from before has no creator (nil) and belongs to the root team.
    add_column(order, "tenant_id", UUIDOID, "NULL", "tenant_id");
    if (order.tenant_from != nullptr)
        run(psprintf("UPDATE %s SET tenant_id = (%s) WHERE tenant_id IS NULL", order.name,
                     order.tenant_from));
    require_value(order, "tenant_id");
    if (order.wanted.created_by) {
        add_column(order, "created_by", UUIDOID, "'00000000-0000-0000-0000-000000000000'",
                   "user_id");
        require_value(order, "created_by");
    }
    if (order.wanted.team) {
        add_column(order, "team_ord", INT8OID, "1", "team_ord");
        require_value(order, "team_ord");
    }
}

void add_index(const Order &order, const char *column) {
    if (answers(psprintf(
            "SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = %u AND i.indpred IS NULL "
            "AND pg_catalog.pg_get_indexdef(i.indexrelid, 1, false) = 'tenant_id' "
            "AND pg_catalog.pg_get_indexdef(i.indexrelid, 2, false) = '%s'",
            order.relation, column)))
        return;
    run(psprintf("CREATE INDEX ON %s (tenant_id, %s)", order.name, column));
}

void add_policies(const Order &order) {
    const char *predicate = psprintf(
        "tenant_id = aegis.tenant_id()%s%s",
        order.wanted.team ? " AND team_ord BETWEEN aegis.team_lo() AND aegis.team_hi()" : "",
        order.wanted.created_by ? " AND created_by BETWEEN aegis.user_lo() AND aegis.user_hi()"
                                : "");
    static const struct {
        const char *command;
        bool use, check;
    } policies[] = {{"select", true, false},
                    {"insert", false, true},
                    {"update", true, true},
                    {"delete", true, false}};
    for (const auto &policy : policies) {
        if (answers(psprintf(
                "SELECT 1 FROM pg_catalog.pg_policy WHERE polrelid = %u AND polname = 'aegis_%s'",
                order.relation, policy.command)))
            run(psprintf("DROP POLICY aegis_%s ON %s", policy.command, order.name));
        run(psprintf("CREATE POLICY aegis_%s ON %s FOR %s TO PUBLIC %s%s%s %s%s%s", policy.command,
                     order.name, policy.command, policy.use ? "USING (" : "",
                     policy.use ? predicate : "", policy.use ? ")" : "",
                     policy.check ? "WITH CHECK (" : "", policy.check ? predicate : "",
                     policy.check ? ")" : ""));
    }
    run(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", order.name));
}

void add_triggers(const Order &order) {
    // Triggers fire by name: after the application's own, before a field is sealed for its tenant.
    run(
        psprintf("CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON %s "
                 "FOR EACH ROW EXECUTE FUNCTION aegis.stamp_row()",
                 order.name));
    run(
        psprintf("CREATE OR REPLACE TRIGGER aegis_truncate BEFORE TRUNCATE ON %s "
                 "FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_truncate()",
                 order.name));
    if (OidIsValid(order.wanted.parent))
        run(
            psprintf("CREATE OR REPLACE TRIGGER aegis_follow AFTER UPDATE OF team_ord ON %s "
                     "FOR EACH ROW EXECUTE FUNCTION aegis.follow_parent()",
                     qualified_name(order.wanted.parent)));
}

void write_registry(const Order &order) {
    Oid types[] = {REGCLASSOID, BOOLOID, BOOLOID, REGCLASSOID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(order.relation), BoolGetDatum(order.wanted.created_by),
                      BoolGetDatum(order.wanted.team), ObjectIdGetDatum(order.wanted.parent),
                      BoolGetDatum(creating_extension)};
    execute_as_owner(
        "DELETE FROM aegis.protected_table WHERE relation NOT IN (SELECT oid FROM "
        "pg_catalog.pg_class)",
        0, nullptr, nullptr, nullptr, false);
    execute_as_owner(
        "INSERT INTO aegis.protected_table (relation, created_by, team, parent, by_extension) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (relation) DO UPDATE SET created_by = "
        "EXCLUDED.created_by, "
        "team = EXCLUDED.team, parent = EXCLUDED.parent",
        5, types, values, OidIsValid(order.wanted.parent) ? nullptr : "   n ", false);
}

void record(const char *type, Oid relation) {
    ledger::Event event{};
    event.type = type;
    event.target_kind = "table";
    event.target_id = qualified_name(relation);
    ledger::append(event);
}

// Captures the changes of the table, unless somebody has arranged that already.
void audit(Oid relation) {
    Oid types[] = {REGCLASSOID, NAMEARRAYOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    SPI_connect();
    execute_as_owner("SELECT 1 FROM aegis.audited_table WHERE relation OPERATOR(pg_catalog.=) $1",
                     1, types, values, nullptr, false);
    bool known = SPI_processed > 0;
    SPI_finish();
    if (known) return;
    List *name = list_make2(makeString(pstrdup("aegis")), makeString(pstrdup("audit_table")));
    OidFunctionCall2(LookupFuncName(name, lengthof(types), types, false),
                     ObjectIdGetDatum(relation), PointerGetDatum(construct_empty_array(NAMEOID)));
}

}  // namespace

}  // namespace aegis::protect

using namespace aegis;

AEGIS_FUNCTION(aegis_protect_table) {
    for (int i = 0; i < 3; i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("target, created_by and team must not be null")));
    protect::Order order{};
    order.relation = PG_GETARG_OID(0);
    order.wanted.parent = PG_ARGISNULL(3) ? InvalidOid : PG_GETARG_OID(3);
    order.wanted.created_by = PG_GETARG_BOOL(1);
    order.wanted.team = PG_GETARG_BOOL(2);
    order.tenant_from = PG_ARGISNULL(4) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(4));
    if (OidIsValid(order.wanted.parent) && !(order.wanted.created_by && order.wanted.team))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("rows that follow a parent have its creator and its team"),
                        errhint("Leave created_by and team at true.")));
    protect::check_table(order);
    order.name = protect::qualified_name(order.relation);
    protect::Protection before{};
    bool known = protect::find(order.relation, &before);

    SPI_connect();
    protect::add_columns(order);
    protect::add_policies(order);
    protect::add_triggers(order);
    if (order.wanted.created_by) protect::add_index(order, "created_by");
    if (order.wanted.team) protect::add_index(order, "team_ord");
    protect::write_registry(order);
    SPI_finish();
    if (!known || memcmp(&before, &order.wanted, sizeof before) != 0)
        protect::record("table.protected", order.relation);
    protect::audit(order.relation);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_unprotect_table) {
    Oid relation = PG_GETARG_OID(0);
    const char *name = get_rel_name(relation);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table does not exist")));
    if (!pg_class_ownercheck(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
    protect::Protection protection;
    if (!protect::find(relation, &protection))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("table \"%s\" is not protected", name)));
    const char *qualified = protect::qualified_name(relation);
    SPI_connect();
    // First, for what follows is refused while the table is registered.
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    protect::execute_as_owner(
        "DELETE FROM aegis.protected_table WHERE relation::pg_catalog.oid OPERATOR(pg_catalog.=) "
        "$1",
        1, types, values, nullptr, false);
    for (const char *command : {"select", "insert", "update", "delete"})
        protect::run(psprintf("DROP POLICY IF EXISTS aegis_%s ON %s", command, qualified));
    aegis::ledger_tables::own_change([&] {
        for (const char *trigger : {"zzy_aegis_stamp", "aegis_truncate", "aegis_follow"})
            protect::run(psprintf("DROP TRIGGER IF EXISTS %s ON %s", trigger, qualified));
    });
    protect::run(psprintf("ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
                          qualified));
    SPI_finish();
    protect::record("table.unprotected", relation);
    PG_RETURN_VOID();
}

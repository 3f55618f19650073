// SPDX-License-Identifier: Apache-2.0
// Which tables are protected, and which partitions and children belong to them. Read below SPI with
// the newest snapshot, so that DDL of a transaction that began earlier sees it; written as
// aegis_owner.
#include "protect.hpp"
#include "ddl_guard.hpp"

#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/report.hpp"
#include "role.hpp"

namespace aegis::protect {

namespace {

constexpr int kRoot = 2;                               // column of aegis.protected_part
constexpr int kCreatedBy = 2, kTeam = 3, kParent = 4;  // columns of aegis.protected_table

ScanKeyData key_of(Oid relation) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    return key;
}

// The root of a partition or child; InvalidOid when it is none.
Oid root_of_part(Oid relation) {
    ScanKeyData key = key_of(relation);
    own_table::Scan scan = own_table::begin("protected_part", &key);
    HeapTuple tuple = own_table::next(scan);
    bool null;
    Oid root = HeapTupleIsValid(tuple)
                   ? DatumGetObjectId(own_table::column(scan, tuple, kRoot, &null))
                   : InvalidOid;
    own_table::end(scan);
    return root;
}

bool find_table(Oid relation, Protection *protection) {
    ScanKeyData key = key_of(relation);
    own_table::Scan scan = own_table::begin("protected_table", &key);
    HeapTuple tuple = own_table::next(scan);
    bool found = HeapTupleIsValid(tuple), null;
    if (found) {
        protection->created_by = DatumGetBool(own_table::column(scan, tuple, kCreatedBy, &null));
        protection->team = DatumGetBool(own_table::column(scan, tuple, kTeam, &null));
        Datum parent = own_table::column(scan, tuple, kParent, &null);
        protection->parent = null ? InvalidOid : DatumGetObjectId(parent);
    }
    own_table::end(scan);
    return found;
}

Datum array_of(const Undo &undo) {
    int count = list_length(undo.statements);
    Datum *texts = static_cast<Datum *>(palloc(sizeof(Datum) * (count + 1)));
    for (int i = 0; i < count; i++)
        texts[i] = CStringGetTextDatum(static_cast<const char *>(list_nth(undo.statements, i)));
    return PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}

// The steps of an array that SPI found: all, or those about columns.
void add_result(Undo *undo, bool columns_only) {
    if (SPI_processed != 1) return;
    bool null;
    Datum array = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    Datum *texts;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &texts, nullptr,
                      &count);
    for (int i = 0; i < count; i++) {
        const char *statement = TextDatumGetCString(texts[i]);
        if (!columns_only || is_about_columns(statement)) undo->add(statement);
    }
}

void forget_dropped() {
    for (const char *table : {"protected_table", "protected_part"})
        execute_as_owner(psprintf("DELETE FROM aegis.%s WHERE relation NOT IN (SELECT oid FROM "
                                  "pg_catalog.pg_class)",
                                  table),
                         0, nullptr, nullptr, nullptr, false);
}

}  // namespace

const char *qualified_name(Oid relation) {
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
                                      get_rel_name(relation));
}

bool begins_with(const char *step, const char *prefix) {
    return strncmp(step, prefix, strlen(prefix)) == 0;
}

bool is_about_columns(const char *step) {
    if (!begins_with(step, kUndoTable)) return false;
    const char *action = step + strlen(kUndoTable);
    return begins_with(action, "DROP COLUMN ") || begins_with(action, "ALTER COLUMN ");
}

Oid root_of(Oid relation) {
    Protection protection;
    if (find_table(relation, &protection)) return relation;
    return root_of_part(relation);
}

bool find(Oid relation, Protection *protection) {
    if (find_table(relation, protection)) return true;
    Oid root = root_of_part(relation);
    return OidIsValid(root) && find_table(root, protection);
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

void require_owned(Oid relation) {
    const char *name = get_rel_name(relation);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table does not exist")));
    if (!pg_class_ownercheck(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

void query(const char *text) {
    if (SPI_execute(text, false, 0) < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not run a statement of protect_table")));
}

void run(const char *text) {
    ddl_guard::own_statements([&] { query(text); });
}

bool answers(const char *text) {
    query(text);
    return SPI_processed > 0;
}

void write_table(Oid relation, const Protection &protection, const Undo &undo) {
    Oid types[] = {REGCLASSOID, BOOLOID, BOOLOID, REGCLASSOID, BOOLOID, TEXTARRAYOID};
    Datum values[] = {ObjectIdGetDatum(relation),       BoolGetDatum(protection.created_by),
                      BoolGetDatum(protection.team),    ObjectIdGetDatum(protection.parent),
                      BoolGetDatum(creating_extension), array_of(undo)};
    forget_dropped();
    execute_as_owner(
        "INSERT INTO aegis.protected_table AS p (relation, created_by, team, parent, by_extension, "
        "undo) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (relation) DO UPDATE SET created_by = "
        "EXCLUDED.created_by, team = EXCLUDED.team, parent = EXCLUDED.parent, undo = p.undo || "
        "EXCLUDED.undo",
        6, types, values, OidIsValid(protection.parent) ? nullptr : "   n  ", false);
}

void write_part(Oid relation, Oid root, const Undo &undo) {
    Oid types[] = {REGCLASSOID, REGCLASSOID, BOOLOID, TEXTARRAYOID};
    Datum values[] = {ObjectIdGetDatum(relation), ObjectIdGetDatum(root),
                      BoolGetDatum(creating_extension), array_of(undo)};
    execute_as_owner(
        "INSERT INTO aegis.protected_part AS p (relation, root, by_extension, undo) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (relation) DO UPDATE SET root = EXCLUDED.root, "
        "undo = p.undo || EXCLUDED.undo",
        4, types, values, nullptr, false);
}

Undo remove(Oid relation) {
    Undo undo;
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    for (const char *table : {"protected_table", "protected_part"}) {
        execute_as_owner(psprintf("DELETE FROM aegis.%s WHERE relation = $1 RETURNING undo", table),
                         1, types, values, nullptr, false);
        add_result(&undo, false);
    }
    return undo;
}

Undo columns_of(Oid relation) {
    Undo undo;
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    execute_as_owner("SELECT undo FROM aegis.protected_table WHERE relation = $1", 1, types, values,
                     nullptr, false);
    add_result(&undo, true);
    return undo;
}

void record(const char *type, Oid relation, const char *key, const char *text) {
    uint8_t bytes[512];
    ledger::DetailPair pair = {key, text, 0};
    ledger::Event event{};
    event.type = type;
    event.target_kind = "table";
    event.target_id = qualified_name(relation);
    if (key != nullptr) event.detail = ledger::encode_detail(&pair, 1, core::ByteSpan(bytes));
    ledger::append(event);
}

}  // namespace aegis::protect

// SPDX-License-Identifier: Apache-2.0
// aegis.encrypt_column(): the registry's row, and a table that is altered in one statement.
#include "core/encoding.hpp"
#include "ddl_guard.hpp"
#include "field_entropy.hpp"
#include "field_register.hpp"
#include "field_twin.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"

namespace aegis::field {

namespace {

// Arguments of encrypt_column that may be null: the type's mask, no subject.
bool is_field_name(const char *name) {
    size_t length = strlen(name);
    const char *dot = strchr(name, '.');
    if (length > 63 || dot == nullptr || dot == name || dot[1] == '\0' ||
        strchr(dot + 1, '.') != nullptr)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") == length;
}

void check_words(const Order &order) {
    core::Mask mask;
    if (!is_field_name(order.field))
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_NAME), errmsg("invalid field name \"%s\"", order.field),
             errhint(
                 "A field is named like \"customer.email\": two words of a-z, 0-9 and \"_\".")));
    if (!core::find_mask(order.mask, &mask))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid mask \"%s\"", order.mask),
                        errhint("Valid masks are %s.", sealed::kMaskWords)));
    check_level(order.reveal);
    if (order.type == nullptr)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("type %s is not a sealed type", format_type_be(order.type_oid)),
                        errhint("The view aegis.sealed_type lists them.")));
}

Datum text_or_null(const char *text) {
    return text != nullptr ? CStringGetTextDatum(text) : 0;
}

bool has_seal_trigger(Oid table) {
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(table)};
    return run_as_owner(
               "SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1 AND t.tgname = "
               "'zzz_aegis_seal'",
               1, types, values, false) > 0;  // sees what this very statement made
}

// Up to here a rewrite takes a second or so; conversions beside writers are for what is larger.
constexpr int64 kSmallBytes = 64 * 1024 * 1024;

void warn_of_size(const Order &order) {
    int64 pages = 0;
    ListCell *cell;
    foreach (cell, find_all_inheritors(order.table, NoLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), AccessShareLock);
        if (relation->rd_rel->relkind == RELKIND_RELATION)
            pages += RelationGetNumberOfBlocks(relation);
        table_close(relation, NoLock);
    }
    if (pages * BLCKSZ > kSmallBytes)
        ereport(
            NOTICE,
            (errmsg("table \"%s\" is rewritten, and locked meanwhile: it has " INT64_FORMAT " MB",
                    get_rel_name(order.table), pages * BLCKSZ / (1024 * 1024)),
             errhint("CALL aegis.encrypt_column_online() works beside readers and writers.")));
}

void alter_table(const Order &order, Oid old_type) {
    char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(order.table)),
                                             get_rel_name(order.table));
    char *column = pstrdup(quote_identifier(order.column));
    char *type = format_type_be_qualified(order.type_oid);
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "ALTER TABLE %s ", table);
    // One rewrite: a rewrite runs no triggers, so the expression seals.
    if (old_type != order.type_oid)
        appendStringInfo(&command,
                         "ALTER COLUMN %s TYPE %s USING aegis.%s(%s::%s::%s, "
                         "'%u'::pg_catalog.int8, tenant_id%s), ",
                         column, type, *order.bond.seal != '\0' ? "seal_bound" : "seal", column,
                         format_type_be_qualified(order.type->kind->plain), type, order.reference,
                         order.bond.seal);
    char *constraint = makeObjectName(order.column, "sealed", nullptr);
    appendStringInfo(
        &command,
        "ADD CONSTRAINT %s CHECK (aegis.is_sealed_for(%s, '%u'::pg_catalog.int8, tenant_id%s))",
        quote_identifier(constraint), column, order.reference, order.bond.check);
    run_as_caller(command.data);
    if (!has_seal_trigger(order.table))
        run_as_caller(
            psprintf("CREATE TRIGGER zzz_aegis_seal BEFORE INSERT OR UPDATE ON %s "
                     "FOR EACH ROW EXECUTE FUNCTION aegis.seal_row()",
                     table));
}

}  // namespace

void run_as_caller(const char *command) {
    int settings = pg::pin_search_path();
    int result = 0;
    ddl_guard::own_statements([&] { result = SPI_execute(command, false, 0); });
    AtEOXact_GUC(false, settings);
    if (result < 0) elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
}

uint64 run_as_owner(const char *command, int count, Oid *types, Datum *values, bool read_only) {
    char *nulls = static_cast<char *>(palloc(count + 1));
    for (int i = 0; i < count; i++) nulls[i] = types[i] == TEXTOID && values[i] == 0 ? 'n' : ' ';
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    int settings = pg::pin_search_path();
    SetUserIdAndSecContext(role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
    int result = SPI_execute_with_args(command, count, types, values, nulls, read_only, 0);
    SetUserIdAndSecContext(user, security);
    AtEOXact_GUC(false, settings);
    if (result < 0) elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
    return SPI_processed;
}

Order read_order(FunctionCallInfo fcinfo) {
    for (int i = 0; i <= kConfirmArgument; i++)
        if (i != kMaskArgument && i != kSubjectArgument && PG_ARGISNULL(i))
            ereport(ERROR,
                    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                     errmsg("argument %d of aegis.encrypt_column() must not be null", i + 1)));
    Order order{};
    order.table = PG_GETARG_OID(0);
    order.column = NameStr(*PG_GETARG_NAME(1));
    order.field = text_to_cstring(PG_GETARG_TEXT_PP(2));
    order.type_oid = PG_GETARG_OID(3);
    order.mask = PG_ARGISNULL(kMaskArgument) ? core::mask_word(sealed::mask_of(order.type_oid))
                                             : text_to_cstring(PG_GETARG_TEXT_PP(kMaskArgument));
    order.reveal = text_to_cstring(PG_GETARG_TEXT_PP(5));
    if (!PG_ARGISNULL(kSubjectArgument)) order.subject = NameStr(*PG_GETARG_NAME(kSubjectArgument));
    order.row_bound = PG_GETARG_BOOL(kSubjectArgument + 1);
    order.confirms = PG_GETARG_BOOL(kConfirmArgument);
    order.type = sealed::find_type(order.type_oid);
    check_words(order);
    order.reference = reference_of(order.field);
    return order;
}

void require_owner(Oid table) {
    const char *name = get_rel_name(table);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table does not exist")));
    if (!pg_class_ownercheck(table, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

Oid check_table(Order *asked) {
    const Order &order = *asked;
    char kind = get_rel_relkind(order.table);
    const char *name = get_rel_name(order.table);
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a table", name ? name : "?")));
    AttrNumber number = get_attnum(order.table, order.column);
    if (number == InvalidAttrNumber)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("column \"%s\" of table \"%s\" does not exist", order.column, name)));
    AttrNumber tenant = get_attnum(order.table, "tenant_id");
    if (tenant == InvalidAttrNumber || get_atttype(order.table, tenant) != UUIDOID)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
             errmsg("table \"%s\" has no column tenant_id of type uuid", name),
             errhint("A value is sealed for its row's tenant; call aegis.protect_table() first.")));
    if (get_attgenerated(order.table, number) != '\0')
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                 errmsg("column \"%s\" of table \"%s\" is generated", order.column, name),
                 errdetail("Generated columns are computed after the value would be sealed.")));
    Oid type = get_atttype(order.table, number), cast;
    Oid plain = order.type->kind->plain;
    if (type != order.type_oid && type != plain &&
        find_coercion_pathway(plain, type, COERCION_IMPLICIT, &cast) == COERCION_PATH_NONE)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of table \"%s\" has type %s", order.column, name,
                               format_type_be(type)),
                        errhint("A column of type %s can be sealed as %s.", format_type_be(plain),
                                format_type_be(order.type_oid))));
    asked->bond = bond_terms(order.table, order.column, order.subject, order.row_bound);
    return type;
}

void refuse_conversion(const Order &order) {
    Relation relation = table_open(order.table, NoLock);
    Pair pairs[kMostPairs];
    int count = find_pairs(RelationGetDescr(relation), pairs);
    table_close(relation, NoLock);
    AttrNumber number = get_attnum(order.table, order.column);
    for (int i = 0; i < count; i++)
        if (pairs[i].source == number || pairs[i].twin == number)
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_IN_USE),
                     errmsg("column \"%s\" of table \"%s\" is being converted", order.column,
                            get_rel_name(order.table)),
                     errhint("aegis.conversion_progress() tells how; end that conversion first.")));
}

Registration find_registration(const Order &order) {
    Oid types[] = {INT8OID, TEXTOID, TEXTOID};
    Datum values[] = {Int64GetDatum(order.reference), text_or_null(order.subject),
                      text_or_null(order.bond.key_types)};
    uint64 rows = run_as_owner(
        "SELECT f.name, f.relation::pg_catalog.oid, f.column_name::pg_catalog.text, "
        "f.type::pg_catalog.oid, "
        "f.mask, f.subject_column IS NOT DISTINCT FROM $2::pg_catalog.name AND "
        "f.row_key IS NOT DISTINCT FROM $3::pg_catalog.regtype[] FROM aegis.field f "
        "WHERE f.reference = $1",
        3, types, values, false);  // sees what this very statement changed
    if (rows == 0) return Registration::fresh;
    HeapTuple tuple = SPI_tuptable->vals[0];
    TupleDesc row = SPI_tuptable->tupdesc;
    bool is_null = false;
    char *name = SPI_getvalue(tuple, row, 1);
    Oid table = DatumGetObjectId(SPI_getbinval(tuple, row, 2, &is_null));
    if (strcmp(name, order.field) != 0)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT),
                 errmsg("field names \"%s\" and \"%s\" have the same reference", order.field, name),
                 errhint("Choose another name.")));
    if (get_rel_name(table) == nullptr) return Registration::orphaned;
    if (table == order.table && strcmp(SPI_getvalue(tuple, row, 3), order.column) == 0 &&
        DatumGetObjectId(SPI_getbinval(tuple, row, 4, &is_null)) == order.type_oid &&
        strcmp(SPI_getvalue(tuple, row, 5), order.mask) == 0 &&
        DatumGetBool(SPI_getbinval(tuple, row, 6, &is_null)))
        return Registration::same;
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                    errmsg("field \"%s\" is already registered for column \"%s\" of table \"%s\"",
                           order.field, SPI_getvalue(tuple, row, 3), get_rel_name(table)),
                    errhint("Every column is a field of its own.")));
    pg_unreachable();
}

void register_field(const Order &order) {
    // Rows of an extension's own script come back with the extension; a dump must not hold them
    // twice.
    bool by_extension = creating_extension;
    Oid types[] = {INT8OID, TEXTOID, OIDOID,  NAMEOID, OIDOID,
                   TEXTOID, BOOLOID, TEXTOID, TEXTOID, BOOLOID};
    NameData column;
    namestrcpy(&column, order.column);
    Datum values[] = {Int64GetDatum(order.reference),     CStringGetTextDatum(order.field),
                      ObjectIdGetDatum(order.table),      NameGetDatum(&column),
                      ObjectIdGetDatum(order.type_oid),   CStringGetTextDatum(order.mask),
                      BoolGetDatum(by_extension),         text_or_null(order.subject),
                      text_or_null(order.bond.key_types), BoolGetDatum(order.confirms)};
    run_as_owner(
        "INSERT INTO aegis.field (reference, name, relation, column_name, type, mask, "
        "by_extension, subject_column, row_key, low_entropy_confirmed) "
        "VALUES ($1, $2, $3::pg_catalog.regclass, $4, $5::pg_catalog.regtype, $6, $7, "
        "$8::pg_catalog.name, "
        "$9::pg_catalog.regtype[], $10) "
        "ON CONFLICT (reference) DO UPDATE SET relation = EXCLUDED.relation, column_name = "
        "EXCLUDED.column_name, "
        "type = EXCLUDED.type, mask = EXCLUDED.mask, by_extension = EXCLUDED.by_extension, "
        "subject_column = EXCLUDED.subject_column, row_key = EXCLUDED.row_key, "
        "low_entropy_confirmed = EXCLUDED.low_entropy_confirmed",
        10, types, values, false);
    for (int rank = 1; rank < kRanks; rank++)
        set_policy(order.reference, rank, order.reveal, by_extension);
    // Whoever looks after the system sees that a value is there and what it is like, not what it
    // is.
    bool hidden = strcmp(order.reveal, "none") == 0;
    set_policy(order.reference, kOperatorRank, hidden ? "none" : "masked", by_extension);
    CommandCounterIncrement();
}

void record(const char *event_type, const char *field, const ledger::DetailPair *pairs, int count) {
    uint8_t buffer[512];
    ledger::Event event{event_type};
    event.target_kind = "field";
    event.target_id = field;
    event.detail = ledger::encode_detail(pairs, count, buffer);
    ledger::append(event);
}

void record_registration(const Order &order) {
    ledger::DetailPair pairs[8] = {{"column", order.column, 0},
                                   {"mask", order.mask, 0},
                                   {"reveal", order.reveal, 0},
                                   {"table", get_rel_name(order.table), 0},
                                   {"type", order.type->name, 0}};
    int count = 5;
    if (order.row_bound || order.subject != nullptr)
        pairs[count++] = {"row_bound", nullptr, order.row_bound};
    if (order.subject != nullptr) pairs[count++] = {"subject", order.subject, 0};
    if (order.confirms) pairs[count++] = {"low_entropy_confirmed", nullptr, 1};
    record("field.registered", order.field, pairs, count);
}

void confirm_registration(const Order &order) {
    if (entropy::confirm(order)) return;
    ereport(NOTICE, (errmsg("column \"%s\" is already encrypted as field \"%s\"", order.column,
                            order.field)));
}

}  // namespace aegis::field

AEGIS_FUNCTION(aegis_encrypt_column) {
    using namespace aegis::field;
    Order order = read_order(fcinfo);
    require_owner(order.table);
    LockRelationOid(order.table, AccessExclusiveLock);
    Oid old_type = check_table(&order);

    refuse_conversion(order);

    SPI_connect();
    Registration known = find_registration(order);
    if (known == Registration::same && old_type == order.type_oid) {
        confirm_registration(order);
    } else {
        entropy::refuse(order);
        if (old_type != order.type_oid) warn_of_size(order);
        register_field(order);
        alter_table(order, old_type);
        record_registration(order);
    }
    SPI_finish();
    PG_RETURN_VOID();
}

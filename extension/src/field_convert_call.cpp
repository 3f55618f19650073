// SPDX-License-Identifier: Apache-2.0
// The calls that convert a column: who may make them, and what they begin, continue or take back.
#include "field_convert.hpp"
#include "field_twin.hpp"

#include "pg/function.hpp"

namespace aegis::field::convert {

namespace {

// The arguments before the results, and that the procedure may commit.
int64 check_call(FunctionCallInfo fcinfo, int pages, const char *name) {
    for (int i = 0; i <= pages; i++)
        if (PG_ARGISNULL(i) &&
            !(pages > kSubjectArgument && (i == kMaskArgument || i == kSubjectArgument)))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("arguments of %s must not be null", name)));
    if (fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
        reinterpret_cast<CallContext *>(fcinfo->context)->atomic)
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("%s cannot run inside a transaction block", name),
                        errdetail("It commits after every batch."), errhint("CALL it by itself.")));
    int64 batch = PG_GETARG_INT32(pages);
    if (batch < 1)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("pages must be at least 1")));
    return batch;
}

Datum result_of(FunctionCallInfo fcinfo, const Conversion &c) {
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("unexpected result type")));
    Interval *locked = static_cast<Interval *>(palloc0(sizeof(Interval)));
    locked->time = c.longest_lock;
    Datum values[] = {Int64GetDatum(c.converted), IntervalPGetDatum(locked)};
    bool nulls[] = {false, false};
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls));
}

// The field of a column of a sealed type, or of one that is being decrypted.
Conversion find_conversion(Oid table, const char *column, const char *reason) {
    Conversion c{};
    require_owner(table);
    c.table = table;
    c.column = column;
    c.reason = reason;
    AttrNumber number = get_attnum(table, column);
    if (number == InvalidAttrNumber)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of table \"%s\" does not exist", column,
                               get_rel_name(table))));
    Relation relation = table_open(table, AccessShareLock);
    Column found = describe(RelationGetDescr(relation), number);
    table_close(relation, NoLock);
    const Field *field = found.tenant != 0 ? find(found.reference) : nullptr;
    if (field == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("column \"%s\" of table \"%s\" is not encrypted", column,
                               get_rel_name(table))));
    c.reference = found.reference;
    c.field = pstrdup(field->name);
    return c;
}

// The registry holds the names from when the conversion began; the constraints follow renames.
void follow_renames(const Conversion &c) {
    const char *subject = c.order->subject;
    Relation relation = table_open(c.table, AccessShareLock);
    Pair pair;
    bool same = find_pair(RelationGetDescr(relation), c.reference, &pair) &&
                pair.source == get_attnum(c.table, c.column) &&
                pair.sealed.subject == (subject != nullptr ? get_attnum(c.table, subject) : 0);
    table_close(relation, NoLock);
    if (!same) return;
    NameData column;
    namestrcpy(&column, c.column);
    Oid types[] = {INT8OID, REGCLASSOID, NAMEOID, TEXTOID};
    Datum values[] = {Int64GetDatum(c.reference), ObjectIdGetDatum(c.table), NameGetDatum(&column),
                      subject != nullptr ? CStringGetTextDatum(subject) : 0};
    if (run_as_owner("UPDATE aegis.conversion SET column_name = $3 WHERE field = $1 AND relation = "
                     "$2 AND direction = 'encrypt'",
                     3, types, values, false) > 0)
        run_as_owner(
            "UPDATE aegis.field SET column_name = $3, subject_column = $4::pg_catalog.name WHERE "
            "reference = $1 AND relation = $2 AND (column_name, subject_column) IS DISTINCT FROM "
            "($3, $4::pg_catalog.name)",
            4, types, values, false);
}

// Whoever turns ciphertext into plaintext must be allowed to read it.
void check_decryption(const Conversion &c) {
    bool blank = strspn(c.reason, " \t\r\n") == strlen(c.reason);
    if (blank || strlen(c.reason) > 160)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("reason must be given, in at most 160 bytes"),
                        errdetail("It is recorded in the ledger.")));
    if (operator_level(*find(c.reference)) != Level::full)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_NOT_REVEALED),
                 errmsg("field \"%s\" may not be revealed to you", c.field),
                 errdetail("To decrypt a column takes the level full for operators, rank 0."),
                 errhint("An operator can change this with aegis.set_reveal_policy().")));
}

}  // namespace

}  // namespace aegis::field::convert

using namespace aegis;

AEGIS_FUNCTION(aegis_encrypt_column_online) {
    using namespace aegis::field;
    using namespace aegis::field::convert;
    Conversion c{};
    c.batch = check_call(fcinfo, kConfirmArgument + 1, "encrypt_column_online");
    Order order = read_order(fcinfo);
    c.table = order.table;
    c.reference = order.reference;
    c.field = order.field;
    c.column = order.column;
    c.seals = true;
    c.order = &order;
    require_owner(c.table);
    Oid old_type = check_table(&order);
    if (old_type != order.type_oid && !has_plaintext(*order.type, old_type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of table \"%s\" has type %s", order.column,
                               get_rel_name(c.table), format_type_be(old_type)),
                        errhint("Give it the type %s first, or call aegis.encrypt_column().",
                                format_type_be(order.type->kind->plain))));
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    follow_renames(c);
    Registration known = find_registration(order);
    if (old_type != order.type_oid)
        run(&c);
    else if (known == Registration::same)
        confirm_registration(order);
    else
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of table \"%s\" has a sealed type already",
                               order.column, get_rel_name(c.table)),
                        errhint("Call aegis.encrypt_column(), which registers it.")));
    SPI_finish();
    return result_of(fcinfo, c);
}

AEGIS_FUNCTION(aegis_decrypt_column_online) {
    using namespace aegis::field;
    using namespace aegis::field::convert;
    int64 batch = check_call(fcinfo, 3, "decrypt_column_online");
    Conversion c = find_conversion(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)),
                                   text_to_cstring(PG_GETARG_TEXT_PP(2)));
    c.batch = batch;
    check_decryption(c);
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    run(&c);
    SPI_finish();
    return result_of(fcinfo, c);
}

AEGIS_FUNCTION(aegis_decrypt_column) {
    using namespace aegis::field;
    using namespace aegis::field::convert;
    Conversion c = find_conversion(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)),
                                   text_to_cstring(PG_GETARG_TEXT_PP(2)));
    check_decryption(c);
    SPI_connect();
    run(&c);
    SPI_finish();
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_undo_conversion) {
    using namespace aegis::field;
    using namespace aegis::field::convert;
    Conversion c{};
    c.table = PG_GETARG_OID(0);
    c.column = NameStr(*PG_GETARG_NAME(1));
    require_owner(c.table);
    LockRelationOid(c.table, AccessExclusiveLock);
    SPI_connect();
    NameData column;
    namestrcpy(&column, c.column);
    Oid types[] = {REGCLASSOID, NAMEOID};
    Datum values[] = {ObjectIdGetDatum(c.table), NameGetDatum(&column)};
    run_as_owner(
        "SELECT f.reference::text || ' ' || f.name FROM aegis.conversion x JOIN aegis.field f ON "
        "f.reference = x.field LEFT JOIN LATERAL aegis.twin_pair(x.relation, x.field) p ON true "
        "WHERE x.relation = $1 AND coalesce(p.source, x.column_name) = $2",
        2, types, values, false);
    List *found = texts();
    if (found == NIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("column \"%s\" of table \"%s\" is not being converted", c.column,
                               get_rel_name(c.table))));
    char *text = static_cast<char *>(linitial(found));
    c.reference = static_cast<uint32_t>(strtoul(text, &text, 10));
    c.field = text + 1;
    LOCKTAG tag = tag_of(c.reference);
    if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("field \"%s\" is being converted by another session", c.field),
                        errhint("Cancel its statement first.")));
    c.seals = ask(c,
                  "SELECT 1 FROM aegis.conversion WHERE relation = $1 AND field = $2 AND "
                  "direction = 'encrypt'") != NIL;
    run_all(ask(c, "SELECT * FROM aegis.twin_undo($1, $2)"));
    if (c.seals)
        forget_field(c);
    else
        ask(c, "DELETE FROM aegis.conversion WHERE relation = $1 AND field = $2");
    aegis::ledger::DetailPair pairs[] = {{"column", c.column, 0},
                                         {"direction", c.seals ? "encrypt" : "decrypt", 0},
                                         {"table", get_rel_name(c.table), 0}};
    record("field.conversion_undone", c.field, pairs, 3);
    SPI_finish();
    PG_RETURN_VOID();
}

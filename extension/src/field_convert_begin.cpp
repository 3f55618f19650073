// SPDX-License-Identifier: Apache-2.0
// The beginning of a conversion: what is in its way, the twin and what keeps it.
#include "field_convert.hpp"
#include "field_twin.hpp"

namespace aegis::field::convert {

void refuse_findings(const Conversion &c, bool rows) {
    NameData column;
    namestrcpy(&column, c.column);
    const char *subject = c.seals ? c.order->subject : nullptr;
    Oid types[] = {REGCLASSOID, NAMEOID, REGTYPEOID, BOOLOID, TEXTOID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(c.table),
                      NameGetDatum(&column),
                      ObjectIdGetDatum(c.seals ? c.order->type_oid : InvalidOid),
                      BoolGetDatum(rows),
                      subject ? CStringGetTextDatum(subject) : 0,
                      BoolGetDatum(c.seals && c.order->confirms)};
    char nulls[] = {' ', ' ', c.seals ? ' ' : 'n', ' ', subject ? ' ' : 'n', ' ', '\0'};
    if (SPI_execute_with_args("SELECT problem, fix FROM aegis.conversion_findings($1, $2, $3, $4, "
                              "$5::pg_catalog.name, $6) ORDER BY problem",
                              6, types, values, nulls, false, 0) != SPI_OK_SELECT)
        elog(ERROR, "could not look for what blocks a conversion");
    if (SPI_processed == 0) return;
    StringInfoData problems, fixes;
    initStringInfo(&problems);
    initStringInfo(&fixes);
    for (uint64 i = 0; i < SPI_processed; i++) {
        appendStringInfo(&problems, "%s%s", i ? "\n" : "",
                         SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
        appendStringInfo(&fixes, "%s%s", i ? "\n" : "",
                         SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
    }
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("column \"%s\" of table \"%s\" cannot be converted beside writers yet",
                           c.column, get_rel_name(c.table)),
                    errdetail("%s", problems.data), errhint("%s", fixes.data)));
}

namespace {

const char *qualified(Oid table) {
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                      get_rel_name(table));
}

bool has_trigger(Oid table, const char *name) {
    return OidIsValid(get_trigger_oid(table, name, true));
}

void refuse_second(const Conversion &c) {
    Relation relation = table_open(c.table, NoLock);
    Pair pairs[kMostPairs];
    int count = find_pairs(RelationGetDescr(relation), pairs);
    AttrNumber number = get_attnum(c.table, c.column);
    for (int i = 0; i < count; i++)
        if (pairs[i].source == number || pairs[i].twin == number || count == kMostPairs)
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_IN_USE),
                     errmsg("column \"%s\" of table \"%s\" is being converted", c.column,
                            get_rel_name(c.table)),
                     errhint("aegis.conversion_progress() tells how; end that conversion first.")));
    table_close(relation, NoLock);
}

void make_twin_column(const Conversion &c) {
    const char *table = qualified(c.table), *column = pstrdup(quote_identifier(c.column));
    char *twin_name = makeObjectName(c.column, "aegis", "twin");
    const char *twin = pstrdup(quote_identifier(twin_name));
    const char *type = format_type_be_qualified(c.seals ? c.order->type_oid
                                                        : find(c.reference)->type->kind->plain);
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "ALTER TABLE %s ADD COLUMN %s %s", table, twin, type);
    if (c.seals)
        appendStringInfo(
            &command,
            ", ADD CONSTRAINT %s CHECK (aegis.is_sealed_for(%s, '%u'::pg_catalog.int8, "
            "tenant_id%s)) NOT VALID",
            quote_identifier(makeObjectName(c.column, "sealed", nullptr)), twin, c.reference,
            c.order->bond.check);
    appendStringInfo(&command, ", ADD CONSTRAINT %s CHECK (aegis.is_twin(%s, %s)) NOT VALID",
                     quote_identifier(makeObjectName(c.column, "twin", nullptr)), column, twin);
    HeapTuple attribute = SearchSysCacheAttName(c.table, c.column);
    if (reinterpret_cast<Form_pg_attribute>(GETSTRUCT(attribute))->attnotnull)
        appendStringInfo(&command, ", ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID",
                         quote_identifier(psprintf("%s_present", twin_name)), twin);
    ReleaseSysCache(attribute);
    run_as_caller(command.data);
    if (c.seals && !has_trigger(c.table, "zzz_aegis_seal"))
        run_as_caller(
            psprintf("CREATE TRIGGER zzz_aegis_seal BEFORE INSERT OR UPDATE ON %s FOR "
                     "EACH ROW EXECUTE FUNCTION aegis.seal_row()",
                     table));
    if (has_trigger(c.table, "zzz_aegis_twin")) return;
    run_as_caller(
        psprintf("CREATE TRIGGER zzz_aegis_twin BEFORE INSERT OR UPDATE ON %s FOR EACH "
                 "ROW EXECUTE FUNCTION aegis.keep_twin()",
                 table));
    run_as_caller(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER zzz_aegis_twin", table));
}

// A constraint that names a field can stand in a table of whoever likes to read it.
void require_registered(const Conversion &c) {
    if (ask(c, "SELECT 1 FROM aegis.field WHERE relation = $1 AND reference = $2") == NIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("field \"%s\" is registered for another table than \"%s\"", c.field,
                               get_rel_name(c.table))));
}

}  // namespace

void begin(Conversion *c) {
    if (!c->seals) require_registered(*c);
    refuse_findings(*c, true);
    TimestampTz since = lock_exclusively(c);
    refuse_second(*c);
    if (c->seals) {
        check_table(c->order);
        register_field(*c->order);
    }
    NameData column;
    namestrcpy(&column, c->column);
    Oid types[] = {INT8OID, REGCLASSOID, NAMEOID, TEXTOID, TEXTOID};
    Datum values[] = {Int64GetDatum(c->reference), ObjectIdGetDatum(c->table),
                      NameGetDatum(&column), CStringGetTextDatum(c->seals ? "encrypt" : "decrypt"),
                      CStringGetTextDatum(c->seals ? "" : c->reason)};
    run_as_owner(
        "INSERT INTO aegis.conversion (field, relation, column_name, direction, reason) VALUES "
        "($1, $2, $3, $4, NULLIF($5, ''))",
        5, types, values, false);
    make_twin_column(*c);
    ledger::DetailPair pairs[] = {{"column", c->column, 0},
                                  {"direction", c->seals ? "encrypt" : "decrypt", 0},
                                  {"table", get_rel_name(c->table), 0}};
    record("field.conversion_begun", c->field, pairs, 3);
    release(c, since);
}

}  // namespace aegis::field::convert

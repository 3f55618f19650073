// SPDX-License-Identifier: Apache-2.0
// Rows are written as the owner of their table: what a file may reach is what row security lets
// that owner reach.
#include "tenant_import_table.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/table_query.hpp"

namespace aegis::tenant_import {

[[noreturn]] void refuse(const char *why) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("the exported tenant cannot be taken in"), errdetail("%s.", why)));
    pg_unreachable();
}

char *text_of(std::string_view text) {
    char *utf8 = pnstrdup(text.data(), text.size());
    return pg_any_to_server(utf8, static_cast<int>(text.size()), PG_UTF8);
}

bool is(const core::ByteView &value, const char *text) {
    return value.data != nullptr && value.size == strlen(text) &&
           memcmp(value.data, text, value.size) == 0;
}

// How the rows of the table are written: the statement, and the input function of each column.
void prepare_target(Target *target, const char *name, const core::ByteView *texts, int count) {
    Oid types[] = {TEXTOID};
    Datum values[] = {CStringGetTextDatum(name)};
    bool is_null;
    SPI_execute_with_args(
        "SELECT t.relation, t.owner FROM aegis.tenant_tables() t WHERE t.name "
        "OPERATOR(pg_catalog.=) $1",
        1, types, values, nullptr, true, 1);
    if (SPI_processed != 1) refuse("a table is not here any more");
    Oid relation = DatumGetObjectId(pg::column(0, 1, &is_null));
    target->owner = DatumGetObjectId(pg::column(0, 2, &is_null));
    target->types = static_cast<Oid *>(palloc(sizeof(Oid) * count));
    target->params = static_cast<Oid *>(palloc(sizeof(Oid) * count));
    target->inputs = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo) * count));
    StringInfoData query, marks;
    initStringInfo(&query);
    initStringInfo(&marks);
    appendStringInfo(&query, "INSERT INTO %s (", name);
    for (int i = 0; i < count; i++) {
        const core::ByteView &text = texts[2 * i];
        const char *column = text_of({reinterpret_cast<const char *>(text.data), text.size});
        Oid input;
        target->types[i] = get_atttype(relation, get_attnum(relation, column));
        getTypeInputInfo(target->types[i], &input, &target->params[i]);
        fmgr_info(input, &target->inputs[i]);
        appendStringInfo(&query, "%s%s", i > 0 ? ", " : "", quote_identifier(column));
        appendStringInfo(&marks, "%s$%d", i > 0 ? ", " : "", i + 1);
    }
    appendStringInfo(&query, ") OVERRIDING SYSTEM VALUE VALUES (%s)", marks.data);
    pg::Identity before = pg::become(target->owner);
    target->plan = SPI_prepare(query.data, count, target->types);
    if (target->plan == nullptr || SPI_keepplan(target->plan) != 0)
        refuse("a table cannot be written to");
    pg::resume(before);
}

void write_row(const Target &target, const core::ByteView *values) {
    Datum *datums = static_cast<Datum *>(palloc0(sizeof(Datum) * target.count));
    char *nulls = static_cast<char *>(palloc0(target.count + 1));
    pg::Identity before;
    GetUserIdAndSecContext(&before.user, &before.security);
    SetUserIdAndSecContext(target.owner, before.security | SECURITY_LOCAL_USERID_CHANGE |
                                             SECURITY_RESTRICTED_OPERATION);
    for (int i = 0; i < target.count; i++) {
        bool null = values[i].data == nullptr;
        nulls[i] = null ? 'n' : ' ';
        char *text =
            null ? nullptr
                 : text_of({reinterpret_cast<const char *>(values[i].data), values[i].size});
        datums[i] = InputFunctionCall(&target.inputs[i], text, target.params[i], -1);
    }
    if (SPI_execute_plan(target.plan, datums, nulls, false, 0) != SPI_OK_INSERT ||
        SPI_processed != 1)
        refuse(psprintf("a row of %s was not taken", target.name));
    pg::resume(before);
}

// The last two columns of a row.
static List *oids_of(const SPITupleTable *rows, uint64 row) {
    List *oids = NIL;
    for (int column = rows->tupdesc->natts - 1; column <= rows->tupdesc->natts; column++) {
        bool is_null;
        oids = lappend_oid(oids, DatumGetObjectId(SPI_getbinval(rows->vals[row], rows->tupdesc,
                                                                column, &is_null)));
    }
    return oids;
}

void check_references(const pg_uuid_t &tenant) {
    SPI_execute("SELECT q.name, q.query, q.child, q.parent FROM aegis.reference_queries() q", true,
                0);
    SPITupleTable *queries = SPI_tuptable;
    uint64 count = SPI_processed;
    for (uint64 i = 0; i < count; i++) {
        pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
        bool orphan = pg::finds_row(SPI_getvalue(queries->vals[i], queries->tupdesc, 2),
                                    oids_of(queries, i), tenant);
        pg::resume(before);
        if (orphan)
            ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
                            errmsg("a row of the exported tenant has no parent"),
                            errdetail("Foreign key %s.",
                                      SPI_getvalue(queries->vals[i], queries->tupdesc, 1))));
    }
}

void advance_sequences(const pg_uuid_t &tenant) {
    SPI_execute("SELECT q.query, q.sequence, q.relation FROM aegis.sequence_queries() q", true, 0);
    SPITupleTable *queries = SPI_tuptable;
    uint64 count = SPI_processed;
    for (uint64 i = 0; i < count; i++) {
        List *tables = oids_of(queries, i);
        // Nobody takes a number between the look and the change.
        LockRelationOid(linitial_oid(tables), ShareRowExclusiveLock);
        pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
        pg::finds_row(SPI_getvalue(queries->vals[i], queries->tupdesc, 1), tables, tenant);
        pg::resume(before);
    }
}

}  // namespace aegis::tenant_import

// SPDX-License-Identifier: Apache-2.0
// The three columns of a table that has rows already: which rows would have no place, and giving
// them one, at once or page by page. docs/protect.md.
#include "protect.hpp"

#include "pg/function.hpp"

namespace aegis::protect {

namespace {

struct ColumnPlan {
    const char *name, *type, *getter, *first_value;  // first_value: of rows from before
    const char *expression;                          // nullptr when not given
    bool wanted;
};

constexpr int kColumns = 3;

void plan_columns(const Protection &wanted, const Fill &fill, ColumnPlan *columns) {
    columns[0] = {"tenant_id", "uuid", "tenant_id", "NULL", fill.tenant, true};
    // A row from before has no creator (nil) and belongs to the root team.
    columns[1] = {"created_by",    "uuid",
                  "user_id",       "'00000000-0000-0000-0000-000000000000'",
                  fill.created_by, wanted.created_by};
    columns[2] = {"team_ord", "bigint", "team_ord", "1", fill.team, wanted.team};
}

void add_column(Oid relation, const ColumnPlan &column, Undo *undo) {
    if (get_attnum(relation, column.name) != InvalidAttrNumber) return;
    run(psprintf("ALTER TABLE %s ADD COLUMN %s %s DEFAULT %s", qualified_name(relation),
                 column.name, column.type,
                 column.expression != nullptr ? "NULL" : column.first_value));
    undo->add(psprintf("ALTER TABLE {table} DROP COLUMN %s", column.name));
}

void set_default(Oid relation, const ColumnPlan &column, bool added, Undo *undo) {
    const char *wanted = psprintf("aegis.%s()", column.getter);
    char *before = nullptr;
    if (!added && answers(psprintf("SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM "
                                   "pg_catalog.pg_attrdef d WHERE d.adrelid = %u AND d.adnum = %d",
                                   relation, get_attnum(relation, column.name))))
        before = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    if (before != nullptr && strcmp(before, wanted) == 0) return;
    run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", qualified_name(relation),
                 column.name, wanted));
    undo->add(
        before == nullptr
            ? psprintf("ALTER TABLE {table} ALTER COLUMN %s DROP DEFAULT", column.name)
            : psprintf("ALTER TABLE {table} ALTER COLUMN %s SET DEFAULT %s", column.name, before));
}

void require_value(Oid relation, const ColumnPlan &column, Undo *undo) {
    if (answers(psprintf("SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = %u AND attname = "
                         "'%s' AND attnotnull",
                         relation, column.name)))
        return;
    run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", qualified_name(relation),
                 column.name));
    undo->add(psprintf("ALTER TABLE {table} ALTER COLUMN %s DROP NOT NULL", column.name));
}

// "tenant_id = coalesce(tenant_id, (…)), …" and where that gives a row something; false when
// nothing is to be filled.
bool fill_clauses(const ColumnPlan *columns, StringInfo assignments, StringInfo condition) {
    initStringInfo(assignments);
    initStringInfo(condition);
    for (int i = 0; i < kColumns; i++) {
        if (!columns[i].wanted || columns[i].expression == nullptr) continue;
        const char *name = columns[i].name;
        appendStringInfo(assignments, "%s%s = coalesce(%s, (%s))", assignments->len ? ", " : "",
                         name, name, columns[i].expression);
        appendStringInfo(condition, "%s%s IS NULL AND (%s) IS NOT NULL",
                         condition->len ? " OR " : "", name, columns[i].expression);
    }
    return assignments->len > 0;
}

// The value that a column of a row will have, for counting.
const char *value_of(Oid relation, const ColumnPlan &column) {
    bool there = get_attnum(relation, column.name) != InvalidAttrNumber;
    const char *otherwise = column.expression != nullptr ? column.expression
                            : there                      ? nullptr
                                                         : column.first_value;
    if (there && otherwise == nullptr) return psprintf("t.%s", column.name);
    if (there) return psprintf("coalesce(t.%s, (%s))", column.name, otherwise);
    return psprintf("CAST((%s) AS %s)", otherwise, column.type);
}

struct Report {
    Tuplestorestate *store;
    TupleDesc shape;
    void row(const char *problem, const char *fix) const {
        Datum values[] = {CStringGetTextDatum(problem), CStringGetTextDatum(fix)};
        bool nulls[] = {false, false};
        tuplestore_putvalues(store, shape, values, nulls);
    }
};

// Rows that would have no tenant, no creator or no team, and tenants that do not exist, with
// counts.
void report_rows(Oid relation, const Protection &wanted, const Fill &fill, const Report &report) {
    ColumnPlan columns[kColumns];
    plan_columns(wanted, fill, columns);
    query(
        psprintf("SELECT %s, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE %s IS NULL), "
                 "pg_catalog.count(*) FILTER (WHERE %s IS NULL) FROM %s t GROUP BY 1",
                 value_of(relation, columns[0]),
                 wanted.created_by ? value_of(relation, columns[1]) : "false",
                 wanted.team ? value_of(relation, columns[2]) : "false", qualified_name(relation)));
    int groups = static_cast<int>(SPI_processed), named = 0;
    int64 nowhere[kColumns] = {};
    Datum *tenants = static_cast<Datum *>(palloc(sizeof(Datum) * (groups + 1)));
    Datum *counts = static_cast<Datum *>(palloc(sizeof(Datum) * (groups + 1)));
    for (int i = 0; i < groups; i++) {
        bool null, ignored;
        HeapTuple row = SPI_tuptable->vals[i];
        TupleDesc shape = SPI_tuptable->tupdesc;
        Datum tenant = SPI_getbinval(row, shape, 1, &null);
        Datum rows = SPI_getbinval(row, shape, 2, &ignored);
        if (null) {
            nowhere[0] += DatumGetInt64(rows);
        } else {
            tenants[named] = tenant;
            counts[named++] = rows;
        }
        nowhere[1] += DatumGetInt64(SPI_getbinval(row, shape, 3, &ignored));
        nowhere[2] += DatumGetInt64(SPI_getbinval(row, shape, 4, &ignored));
    }
    static const char *const what[kColumns] = {"tenant", "creator", "team"};
    for (int i = 0; i < kColumns; i++) {
        if (nowhere[i] == 0) continue;
        report.row(psprintf("%s has rows without a %s: " INT64_FORMAT, qualified_name(relation),
                            what[i], nowhere[i]),
                   psprintf("UPDATE %s SET %s = ... WHERE %s IS NULL; -- or pass %s_from, an "
                            "expression that gives it for every row",
                            qualified_name(relation), columns[i].name, columns[i].name,
                            i == 2   ? "team"
                            : i == 1 ? "created_by"
                                     : "tenant"));
    }
    Oid types[] = {UUIDARRAYOID, INT8ARRAYOID};
    Datum arrays[] = {
        PointerGetDatum(construct_array(tenants, named, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
        PointerGetDatum(construct_array(counts, named, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
                                        TYPALIGN_DOUBLE))};
    execute_as_owner(
        "SELECT u.tenant::pg_catalog.text, u.n::pg_catalog.text FROM unnest($1, $2) AS u(tenant, "
        "n) "
        "WHERE NOT EXISTS (SELECT FROM aegis.tenant t WHERE t.id OPERATOR(pg_catalog.=) u.tenant) "
        "ORDER BY u.tenant LIMIT 20",
        2, types, arrays, nullptr, false);
    for (uint64 i = 0; i < SPI_processed; i++) {
        const char *tenant = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
        report.row(
            psprintf("%s has rows of tenant %s, which does not exist: %s", qualified_name(relation),
                     tenant, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2)),
            psprintf("DELETE FROM %s WHERE tenant_id = '%s'; -- or give the rows to a tenant "
                     "that exists",
                     qualified_name(relation), tenant));
    }
}

// One member of the tree that is filled page by page, and how far it is.
struct Heap {
    Oid relation;
    int64 pages, done;
    int64 work;  // which file is filled with what: VACUUM FULL puts rows on other pages
};

void require_top(Oid relation) {
    require_owned(relation);
    const char *name = get_rel_name(relation);
    if (OidIsValid(root_of(relation)) || has_superclass(relation))
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("table \"%s\" is protected or part of another", name),
                        errhint("Rows of protected tables have their places; a part is filled "
                                "with its whole.")));
}

void note_progress(const Heap &heap, int64 filled, bool finished) {
    Oid types[] = {REGCLASSOID, INT8OID, INT8OID, INT8OID, BOOLOID, INT8OID};
    Datum values[] = {ObjectIdGetDatum(heap.relation), Int64GetDatum(heap.done),
                      Int64GetDatum(heap.pages),       Int64GetDatum(filled),
                      BoolGetDatum(finished),          Int64GetDatum(heap.work)};
    execute_as_owner(
        "INSERT INTO aegis.backfill AS b (relation, pages_done, pages, filled, finished_at, work) "
        "VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN pg_catalog.clock_timestamp() END, $6) "
        "ON CONFLICT (relation) DO UPDATE SET pages_done = EXCLUDED.pages_done, "
        "pages = EXCLUDED.pages, filled = b.filled OPERATOR(pg_catalog.+) EXCLUDED.filled, "
        "updated_at = pg_catalog.clock_timestamp(), finished_at = EXCLUDED.finished_at, "
        "work = EXCLUDED.work",
        6, types, values, nullptr, false);
}

// Where an interrupted call for the same work stopped; 0 for a new one.
int64 pages_done(const Heap &heap) {
    Oid types[] = {REGCLASSOID, INT8OID};
    Datum values[] = {ObjectIdGetDatum(heap.relation), Int64GetDatum(heap.work)};
    execute_as_owner(
        "SELECT pages_done FROM aegis.backfill WHERE relation OPERATOR(pg_catalog.=) $1 "
        "AND work OPERATOR(pg_catalog.=) $2 AND finished_at IS NULL",
        2, types, values, nullptr, false);
    if (SPI_processed != 1) return 0;
    bool null;
    int64 done =
        DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    return done <= heap.pages ? done : 0;
}

Heap begin_heap(Oid relation, const char *assignments) {
    Relation table = table_open(relation, AccessShareLock);
    Heap heap = {relation, RelationGetNumberOfBlocks(table), 0, 0};
    heap.work = static_cast<int64>(
        hash_bytes_extended(reinterpret_cast<const unsigned char *>(assignments),
                            static_cast<int>(strlen(assignments)), table->rd_rel->relfilenode));
    table_close(table, AccessShareLock);
    heap.done = pages_done(heap);
    return heap;
}

// A transaction for each batch: readers and writers of other rows go on, and what was done stays.
int64 fill_heap(Heap heap, const char *assignments, const char *condition, int64 batch) {
    int64 filled = 0;
    while (heap.done < heap.pages) {
        CHECK_FOR_INTERRUPTS();
        // Between two batches it may have been renamed, dropped or given away.
        LockRelationOid(heap.relation, RowExclusiveLock);
        require_owned(heap.relation);
        int64 to = Min(heap.done + batch, heap.pages);
        query(
            psprintf("UPDATE ONLY %s SET %s WHERE (%s) "
                     "AND ctid OPERATOR(pg_catalog.>=) '(" INT64_FORMAT ",0)'::pg_catalog.tid "
                     "AND ctid OPERATOR(pg_catalog.<) '(" INT64_FORMAT ",0)'::pg_catalog.tid",
                     qualified_name(heap.relation), assignments, condition, heap.done, to));
        int64 now = static_cast<int64>(SPI_processed);
        filled += now;
        heap.done = to;
        note_progress(heap, now, to == heap.pages);
        SPI_commit();
    }
    return filled;
}

int64 count_left(Oid relation) {
    LockRelationOid(relation, AccessShareLock);
    require_owned(relation);
    query(psprintf("SELECT pg_catalog.count(*) FROM %s WHERE tenant_id IS NULL",
                   qualified_name(relation)));
    bool null;
    return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

}  // namespace

void add_columns(Oid relation, const Protection &wanted, const Fill &fill, Undo *undo) {
    ColumnPlan columns[kColumns];
    bool added[kColumns];
    plan_columns(wanted, fill, columns);
    for (int i = 0; i < kColumns; i++) {
        added[i] = get_attnum(relation, columns[i].name) == InvalidAttrNumber;
        if (columns[i].wanted) add_column(relation, columns[i], undo);
    }
    StringInfoData assignments, condition;
    if (fill_clauses(columns, &assignments, &condition) &&
        answers(psprintf("SELECT 1 FROM %s WHERE %s LIMIT 1", qualified_name(relation),
                         condition.data)))
        query(psprintf("UPDATE %s SET %s WHERE %s", qualified_name(relation), assignments.data,
                       condition.data));
    for (int i = 0; i < kColumns; i++) {
        if (!columns[i].wanted) continue;
        set_default(relation, columns[i], added[i], undo);
        require_value(relation, columns[i], undo);
    }
}

}  // namespace aegis::protect

using namespace aegis;

AEGIS_FUNCTION(aegis_row_findings) {
    Oid relation = PG_GETARG_OID(0);
    protect::require_owned(relation);
    protect::Protection wanted{PG_GETARG_BOOL(1), PG_GETARG_BOOL(2), InvalidOid};
    protect::Fill fill{};
    if (!PG_ARGISNULL(3)) fill.tenant = text_to_cstring(PG_GETARG_TEXT_PP(3));
    if (!PG_ARGISNULL(4)) fill.created_by = text_to_cstring(PG_GETARG_TEXT_PP(4));
    if (!PG_ARGISNULL(5)) fill.team = text_to_cstring(PG_GETARG_TEXT_PP(5));
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (OidIsValid(protect::root_of(relation))) PG_RETURN_VOID();  // no row can be without a place
    SPI_connect();
    protect::report_rows(relation, wanted, fill, {result->setResult, result->setDesc});
    SPI_finish();
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_backfill_table) {
    for (int i : {0, 1, 4})
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("target, tenant_from and pages must not be null")));
    if (fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
        reinterpret_cast<CallContext *>(fcinfo->context)->atomic)
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("backfill_table cannot run inside a transaction block"),
                        errdetail("It commits after every batch."), errhint("CALL it by itself.")));
    Oid relation = PG_GETARG_OID(0);
    int64 batch = PG_GETARG_INT32(4);
    if (batch < 1)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("pages must be at least 1")));
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("unexpected result type")));
    BlessTupleDesc(shape);
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    protect::Fill fill{};
    fill.tenant = text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (!PG_ARGISNULL(2)) fill.created_by = text_to_cstring(PG_GETARG_TEXT_PP(2));
    if (!PG_ARGISNULL(3)) fill.team = text_to_cstring(PG_GETARG_TEXT_PP(3));
    protect::require_top(relation);
    protect::ColumnPlan columns[protect::kColumns];
    protect::plan_columns({true, true, InvalidOid}, fill, columns);
    for (const protect::ColumnPlan &column : columns)
        if (column.expression != nullptr && get_attnum(relation, column.name) == InvalidAttrNumber)
            protect::run(psprintf("ALTER TABLE %s ADD COLUMN %s pg_catalog.%s",
                                  protect::qualified_name(relation), column.name,
                                  strcmp(column.type, "bigint") == 0 ? "int8" : column.type));
    SPI_commit();
    StringInfoData assignments, condition;
    protect::fill_clauses(columns, &assignments, &condition);
    List *members = find_all_inheritors(relation, NoLock, nullptr);
    int64 filled = 0;
    for (int i = 0; i < list_length(members); i++) {
        if (get_rel_relkind(list_nth_oid(members, i)) != RELKIND_RELATION) continue;
        protect::Heap heap = protect::begin_heap(list_nth_oid(members, i), assignments.data);
        filled += protect::fill_heap(heap, assignments.data, condition.data, batch);
    }
    int64 left = protect::count_left(relation);
    protect::record("table.backfilled", relation, "rows", psprintf(INT64_FORMAT, filled));
    SPI_finish();
    Datum values[] = {Int64GetDatum(filled), Int64GetDatum(left)};
    bool nulls[] = {false, false};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(shape, values, nulls)));
}

// SPDX-License-Identifier: Apache-2.0
// The job that looks for card data at rest: the verifier over every column that could hold some,
// one table in a step. It says where and how often, never what. docs/scrub.md.
#include "scrub_scan.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/table_query.hpp"

namespace aegis::scrub {

namespace {

// What earlier steps left in the row of the job.
struct State {
    const char *schema;  // nullptr: every one
    Oid after;           // tables up to this one were looked at
    int64 tables, columns, rows, found;
    const char *findings;  // a JSON array
};

struct Table {
    Oid relation;
    const char *name;
    Datum *columns;
    int column_count;
    const char *query;
};

pg::Statement read_state = {
    "SELECT j.args ->> 'schema', coalesce((j.result ->> 'after')::pg_catalog.oid, 0), "
    "coalesce((j.result ->> 'tables')::pg_catalog.int8, 0), "
    "coalesce((j.result ->> 'columns')::pg_catalog.int8, 0), "
    "coalesce((j.result ->> 'rows')::pg_catalog.int8, 0), "
    "coalesce((j.result ->> 'found')::pg_catalog.int8, 0), "
    "coalesce(j.result -> 'findings', '[]')::pg_catalog.text "
    "FROM aegis.job j WHERE j.id OPERATOR(pg_catalog.=) $1",
    1,
    {INT8OID},
    nullptr};

pg::Statement next_table = {
    "SELECT s.relation, s.name, s.columns, s.query FROM aegis.scannable_tables($1, $2, $3) s "
    "ORDER BY s.relation LIMIT 1",
    3,
    {TEXTOID, OIDOID, BOOLOID},
    nullptr};

int64 number(int at) {
    bool is_null;
    return DatumGetInt64(pg::column(0, at, &is_null));
}

State read(int64 job) {
    Datum value = Int64GetDatum(job);
    pg::execute(read_state, &value);
    bool is_null;
    State state = {};
    Datum schema = pg::column(0, 1, &is_null);
    if (!is_null) state.schema = TextDatumGetCString(schema);
    state.after = DatumGetObjectId(pg::column(0, 2, &is_null));
    state.tables = number(3);
    state.columns = number(4);
    state.rows = number(5);
    state.found = number(6);
    state.findings = TextDatumGetCString(pg::column(0, 7, &is_null));
    return state;
}

bool find_next(const State &state, bool of_tenant, Table *table) {
    Datum values[] = {state.schema != nullptr ? CStringGetTextDatum(state.schema) : 0,
                      ObjectIdGetDatum(state.after), BoolGetDatum(of_tenant)};
    char nulls[] = {state.schema != nullptr ? ' ' : 'n', ' ', ' ', '\0'};
    if (pg::execute(next_table, values, nulls) == 0) return false;
    bool is_null;
    table->relation = DatumGetObjectId(pg::column(0, 1, &is_null));
    table->name = TextDatumGetCString(pg::column(0, 2, &is_null));
    bool *absent;
    deconstruct_array(DatumGetArrayTypePCopy(pg::column(0, 3, &is_null)), TEXTOID, -1, false,
                      TYPALIGN_INT, &table->columns, &absent, &table->column_count);
    table->query = TextDatumGetCString(pg::column(0, 4, &is_null));
    return true;
}

// Counts of the columns, behind the number of rows.
Datum *look(const Table &table, const job::Job &job) {
    pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
    Portal portal = pg::open_table_query(table.query, list_make1_oid(table.relation),
                                         job.has_tenant ? &job.tenant : nullptr, InvalidSnapshot);
    SPI_cursor_fetch(portal, true, 1);
    bool is_null;
    Datum counts = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(DatumGetArrayTypePCopy(counts), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
                      &values, &nulls, &count);
    SPI_cursor_close(portal);
    pg::resume(before);
    if (count != table.column_count + 1)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not look at a table")));
    return values;
}

void add_finding(StringInfo findings, const char *table, const char *column, int64 rows) {
    findings->len--;  // the bracket
    appendStringInfoString(findings, findings->len > 1 ? ", {\"table\": " : "{\"table\": ");
    escape_json(findings, table);
    appendStringInfoString(findings, ", \"column\": ");
    escape_json(findings, column);
    appendStringInfo(findings, ", \"rows\": " INT64_FORMAT "}]", rows);
}

void record(const State &state, const job::Job &job) {
    uint8_t bytes[256];
    ledger::DetailPair pairs[] = {{"rows", nullptr, state.rows},
                                  {"found", nullptr, state.found},
                                  {"tables", nullptr, state.tables}};
    ledger::Event event = {};
    event.type = "pci.scan_completed";
    event.outcome = state.found == 0 ? core::Outcome::success : core::Outcome::failure;
    event.tenant = job.has_tenant ? &job.tenant : nullptr;
    event.target_kind = "schema";
    event.target_id = state.schema != nullptr ? state.schema : "*";
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(bytes));
    ledger::append(event);
}

const char *result_of(const State &state, Oid after) {
    return psprintf("{\"after\": %u, \"tables\": " INT64_FORMAT ", \"columns\": " INT64_FORMAT
                    ", \"rows\": " INT64_FORMAT ", \"found\": " INT64_FORMAT ", \"findings\": %s}",
                    after, state.tables, state.columns, state.rows, state.found, state.findings);
}

}  // namespace

job::Progress scan_step(const job::Job &job) {
    State state = read(job.id);
    Table table = {};
    if (!find_next(state, job.has_tenant, &table)) {
        record(state, job);
        return {true, job.done, result_of(state, state.after), 0};
    }
    Datum *counts = look(table, job);
    StringInfoData findings;
    initStringInfo(&findings);
    appendStringInfoString(&findings, state.findings);
    for (int i = 0; i < table.column_count; i++) {
        int64 rows = DatumGetInt64(counts[i + 1]);
        if (rows == 0) continue;
        state.found += rows;
        add_finding(&findings, table.name, TextDatumGetCString(table.columns[i]), rows);
    }
    state.tables++;
    state.columns += table.column_count;
    state.rows += DatumGetInt64(counts[0]);
    state.findings = findings.data;
    return {false, job.done + DatumGetInt64(counts[0]), result_of(state, table.relation), 0};
}

}  // namespace aegis::scrub

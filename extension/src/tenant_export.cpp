// SPDX-License-Identifier: Apache-2.0
// Writes one tenant as a file, in one snapshot: its keys sealed for the target alone, its rows as
// text, its log as a bundle. Nothing is held in memory but one record; what was written waits in a
// tuplestore, which goes to a file. docs/tenant_export.md.
#include "core/bundle.hpp"
#include "core/encoding.hpp"
#include "core/tenant_bundle.hpp"

#include "charge.hpp"
#include "export.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/table_query.hpp"
#include "team.hpp"
#include "tenant.hpp"
#include "verify_cursor.hpp"

namespace aegis::tenant_export {

namespace {

struct Export {
    ReturnSetInfo *result;
    MemoryContext scratch;  // of one line
    pg_uuid_t tenant;
    const char *tenant_text;
    uint8_t recipient[core::kHpkeKeyBytes];
    bool frozen;
    core::Digest header_hash, chain, table_chain;
    uint64_t keys, tables, rows, records;
    TimestampTz told_at;
};

// One line: the record in base64. Uses the scratch context, and empties it.
void put(Export *state, const core::TenantRecord &record) {
    size_t size = core::encode_tenant_record(record, {});
    core::ByteSpan bytes{static_cast<uint8_t *>(MemoryContextAllocHuge(state->scratch, size)),
                         size};
    core::encode_tenant_record(record, bytes);
    pg::raise(pg::run([&] {
        if (record.kind == core::TenantKind::header) state->header_hash = core::sha256(bytes);
        if (record.kind == core::TenantKind::row)
            state->table_chain = core::bundle_chain(state->table_chain, bytes);
        if (record.kind != core::TenantKind::end)
            state->chain = core::bundle_chain(state->chain, bytes);
    }));
    verify::put_line(state->result, state->scratch, bytes);
}

// Whoever waits for a large tenant sees that it goes on.
void tell(Export *state, const char *what) {
    TimestampTz now = GetCurrentTimestamp();
    if (!TimestampDifferenceExceeds(state->told_at, now, 5000)) return;
    state->told_at = now;
    ereport(NOTICE, (errmsg("exported " UINT64_FORMAT " rows so far, at %s", state->rows, what)));
}

std::string_view utf8(const char *text) {
    char *converted = pg_server_to_any(text, static_cast<int>(strlen(text)), PG_UTF8);
    return {converted, strlen(converted)};
}

void put_key(Export *state, key::RootKind kind, uint32_t epoch, core::ByteView check_value) {
    core::TenantRecord record;
    record.kind = core::TenantKind::key;
    record.is_index = kind == key::RootKind::index;
    record.epoch = epoch;
    uint8_t encapsulated[core::kHpkeKeyBytes], sealed[core::kSealedRootBytes];
    key::Root root;
    key::load_root(state->tenant, kind, epoch, &root);
    record.suite = root.suite;
    record.check_value = check_value;
    pg::Report report = pg::run([&] {
        core::seal_tenant_root(state->header_hash, record, root.key, state->recipient, encapsulated,
                               sealed);
    });
    core::wipe(root.key);
    pg::raise(report);
    record.encapsulated = encapsulated;
    record.sealed = sealed;
    put(state, record);
    state->keys++;
}

void put_keys(Export *state) {
    Oid types[] = {UUIDOID};
    Datum values[] = {UUIDPGetDatum(&state->tenant)};
    SPI_execute_with_args(
        "SELECT k.kind OPERATOR(pg_catalog.=) 'index', k.epoch, k.check_value FROM "
        "aegis.tenant_key k "
        "WHERE k.tenant_id OPERATOR(pg_catalog.=) $1 AND k.wrapped IS NOT NULL ORDER BY k.kind "
        "DESC, k.epoch",
        1, types, values, nullptr, true, 0);
    SPITupleTable *rows = SPI_tuptable;
    uint64 count = SPI_processed;
    for (uint64 i = 0; i < count; i++) {
        bool is_null;
        bool index = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
        int32 epoch = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &is_null));
        Datum check = SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &is_null);
        put_key(state, index ? key::RootKind::index : key::RootKind::root,
                static_cast<uint32_t>(epoch), is_null ? core::ByteView() : pg::varlena_view(check));
    }
}

// The encoded array of texts; nullptr stands for null.
core::ByteView encode_texts(const char *const *texts, int count) {
    for (core::ByteSpan out;;) {
        core::CborWriter writer(out);
        writer.array(static_cast<uint64_t>(count));
        for (int i = 0; i < count; i++) {
            if (texts[i] == nullptr)
                writer.null();
            else
                writer.text(utf8(texts[i]));
        }
        if (!writer.overflowed()) return {out.data, writer.needed};
        out = {static_cast<uint8_t *>(palloc_extended(writer.needed, MCXT_ALLOC_HUGE)),
               writer.needed};
    }
}

void put_row(Export *state, HeapTuple tuple, TupleDesc shape) {
    MemoryContext caller = MemoryContextSwitchTo(state->scratch);
    const char **texts = static_cast<const char **>(palloc(sizeof(char *) * shape->natts));
    for (int i = 0; i < shape->natts; i++) texts[i] = SPI_getvalue(tuple, shape, i + 1);
    core::TenantRecord record;
    record.kind = core::TenantKind::row;
    record.texts = encode_texts(texts, shape->natts);
    MemoryContextSwitchTo(caller);
    put(state, record);
    state->rows++;
}

// As a superuser, whom no policy binds: a plain SELECT of a table's columns runs no code of its
// owner's.
void put_rows(Export *state, Oid relation, const char *name, const char *columns) {
    // Children are tables of their own; partitions are not.
    const char *only = get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ";
    const char *key = strcmp(name, "aegis.tenant") == 0 ? "id" : "tenant_id";
    pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
    verify::Cursor cursor = {};
    cursor.portal =
        pg::open_table_query(psprintf("SELECT %s FROM %s%s WHERE %s OPERATOR(pg_catalog.=) $1",
                                      columns, only, name, key),
                             list_make1_oid(relation), &state->tenant, GetActiveSnapshot());
    uint64_t first = state->rows;
    state->table_chain = {};
    while (HeapTuple tuple = verify::peek(&cursor)) {
        put_row(state, tuple, cursor.rows->tupdesc);
        cursor.at++;
        tell(state, name);
    }
    SPI_cursor_close(cursor.portal);
    pg::resume(before);
    core::TenantRecord end;
    end.kind = core::TenantKind::table_end;
    end.rows = state->rows - first;
    core::Digest chain = state->table_chain;
    end.chain = chain.view();
    put(state, end);
}

void put_table(Export *state, HeapTuple tuple, TupleDesc shape) {
    bool is_null;
    const char *name = SPI_getvalue(tuple, shape, 2), *columns = SPI_getvalue(tuple, shape, 4);
    Datum *names;
    int count;
    deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(tuple, shape, 5, &is_null)), TEXTOID, -1,
                      false, TYPALIGN_INT, &names, nullptr, &count);
    const char **texts = static_cast<const char **>(palloc(sizeof(char *) * count));
    for (int i = 0; i < count; i++) texts[i] = TextDatumGetCString(names[i]);
    core::TenantRecord record;
    record.kind = core::TenantKind::table;
    record.name = utf8(name);
    record.texts = encode_texts(texts, count);
    put(state, record);
    put_rows(state, DatumGetObjectId(SPI_getbinval(tuple, shape, 1, &is_null)), name, columns);
    state->tables++;
}

void put_tables(Export *state) {
    if (SPI_execute("SELECT t.relation, t.name, t.owner, t.columns, t.shape FROM "
                    "aegis.tenant_tables() t",
                    true, 0) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not list the tables")));
    SPITupleTable *tables = SPI_tuptable;
    uint64 count = SPI_processed;
    for (uint64 i = 0; i < count; i++) put_table(state, tables->vals[i], tables->tupdesc);
}

// The tenant's log, as aegis.export_ledger writes it for auditors.
void put_ledger(Export *state) {
    verify::Cursor lines = verify::open_cursor(
        psprintf("SELECT aegis.export_ledger('%s'::pg_catalog.uuid)", state->tenant_text));
    while (HeapTuple tuple = verify::peek(&lines)) {
        MemoryContext caller = MemoryContextSwitchTo(state->scratch);
        bool is_null;
        core::ByteView line =
            pg::varlena_view(SPI_getbinval(tuple, lines.rows->tupdesc, 1, &is_null));
        std::string_view text(reinterpret_cast<const char *>(line.data), line.size);
        core::ByteSpan bytes{static_cast<uint8_t *>(palloc_extended(line.size, MCXT_ALLOC_HUGE)),
                             0};
        pg::raise(pg::run([&] {
            bytes.size = core::base64_decoded_size(text);
            core::from_base64(text, bytes);
        }));
        MemoryContextSwitchTo(caller);
        core::TenantRecord record;
        record.kind = core::TenantKind::ledger;
        record.ledger = bytes;
        put(state, record);
        state->records++;
        lines.at++;
        tell(state, "the ledger");
    }
    SPI_cursor_close(lines.portal);
}

void put_header(Export *state, const tenant::Tenant &tenant, const char *target) {
    const char *database = NameStr(*DatumGetName(DirectFunctionCall1(current_database, 0)));
    core::TenantRecord header;
    header.database = utf8(database);
    header.exported_at = ledger::unix_micros(GetCurrentTimestamp());
    header.tenant = pg::view_of(tenant.id);
    header.slug = tenant.slug;
    header.region = tenant.region;
    state->frozen = header.frozen = strcmp(tenant.status, "suspended") == 0;
    header.target = target;
    header.recipient = state->recipient;
    put(state, header);
}

void put_end(Export *state) {
    core::TenantRecord end;
    end.kind = core::TenantKind::end;
    end.keys = state->keys;
    end.tables = state->tables;
    end.rows = state->rows;
    end.records = state->records;
    core::Digest chain = state->chain;
    end.chain = chain.view();
    put(state, end);
}

// "REGION:64 hex digits": the region comes back, the key goes into the state.
const char *read_argument(Export *state, const char *argument) {
    const char *colon = strchr(argument, ':');
    if (colon == nullptr || strlen(colon + 1) != 2 * sizeof state->recipient)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("request has no public key")));
    pg::raise(pg::run([&] { core::from_hex(colon + 1, state->recipient); }));
    return pnstrdup(argument, colon - argument);
}

struct Request {
    const char *argument, *requested_by, *approved_by;
};

Request open_request(Export *state, int64 number, const char *slug) {
    Oid types[] = {INT8OID, TEXTOID};
    Datum values[] = {Int64GetDatum(number), slug != nullptr ? CStringGetTextDatum(slug) : 0};
    const char nulls[] = {' ', slug != nullptr ? ' ' : 'n', '\0'};
    SPI_execute_with_args(
        "SELECT r.tenant_id, r.argument, r.requested_by, r.approved_by FROM "
        "aegis.open_tenant_request($1, 'export', $2, true) r",
        2, types, values, nulls, false, 1);
    HeapTuple row = SPI_tuptable->vals[0];
    bool is_null;
    state->tenant = *DatumGetUUIDP(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null));
    Request request = {SPI_getvalue(row, SPI_tuptable->tupdesc, 2),
                       SPI_getvalue(row, SPI_tuptable->tupdesc, 3),
                       SPI_getvalue(row, SPI_tuptable->tupdesc, 4)};
    return request;
}

// What a suspended tenant's file says is that nothing came after. So its state stays until the
// export is recorded, and whoever had a context before the suspension has ended.
void hold_still(const Export &state) {
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("a tenant cannot be exported at this isolation level"),
                        errdetail("The snapshot may be older than the suspension."),
                        errhint("Begin the transaction with READ COMMITTED.")));
    Oid types[] = {UUIDOID};
    Datum values[] = {UUIDPGetDatum(&state.tenant)};
    SPI_execute_with_args(
        "SELECT t.status OPERATOR(pg_catalog.=) 'suspended' FROM aegis.tenant t "
        "WHERE t.id OPERATOR(pg_catalog.=) $1 FOR SHARE",
        1, types, values, nullptr, false, 1);
    bool is_null;
    if (SPI_processed == 1 && DatumGetBool(pg::column(0, 1, &is_null)))
        team::take_numbers(state.tenant);
}

void record_export(const Export &state, int64 number, const Request &request) {
    char chain[2 * core::kDigestBytes + 1] = {};
    core::to_hex(state.chain.view(), chain);
    const ledger::DetailPair pairs[] = {{"approved_by", request.approved_by, 0},
                                        {"chain", chain, 0},
                                        {"recipient", request.argument, 0},
                                        {"request", nullptr, number},
                                        {"requested_by", request.requested_by, 0},
                                        {"rows", nullptr, static_cast<int64>(state.rows)}};
    uint8_t buffer[1024];
    ledger::Event event{"tenant.exported"};
    event.tenant = &state.tenant;
    event.target_kind = "tenant";
    event.target_id = state.tenant_text;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    // What was exported from a suspended tenant is what a move may end with.
    Oid types[] = {INT8OID, TEXTOID, BOOLOID};
    Datum values[] = {Int64GetDatum(number), CStringGetTextDatum(chain),
                      BoolGetDatum(state.frozen)};
    ledger_tables::own_change([&] {
        SPI_execute_with_args(
            "UPDATE aegis.tenant_request SET closed_at = pg_catalog.now(), "
            "closed_as = 'done', result = CASE WHEN $3 THEN $2 END "
            "WHERE id OPERATOR(pg_catalog.=) $1",
            3, types, values, nullptr, false, 0);
    });
}

}  // namespace

}  // namespace aegis::tenant_export

AEGIS_FUNCTION(aegis_export_tenant) {
    using namespace aegis;
    using namespace aegis::tenant_export;
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    Export state = {};
    state.result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    state.told_at = GetCurrentTimestamp();
    int64 number = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
    pg::Identity before = pg::enter();
    state.scratch =
        AllocSetContextCreate(CurrentMemoryContext, "aegis tenant export", ALLOCSET_DEFAULT_SIZES);
    Request request = open_request(
        &state, number, PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1)));
    state.tenant_text =
        DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&state.tenant)));
    hold_still(state);
    tenant::Tenant tenant = tenant::require(state.tenant);
    if (!tenant.active && strcmp(tenant.status, "suspended") != 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant was erased")));
    const char *target = read_argument(&state, request.argument);

    // Charged first: a rollback takes back neither what was sent nor the trace of it.
    charge::Order order{};
    order.kind = charge::Kind::break_glass;
    order.event = "tenant.exported";
    order.tenant = state.tenant;
    order.target = state.tenant_text;
    order.detail = psprintf("request " INT64_FORMAT ", for %.80s", number, request.argument);
    int slot = charge::open(order);

    PushActiveSnapshot(GetTransactionSnapshot());
    put_header(&state, tenant, target);
    put_keys(&state);
    put_tables(&state);
    put_ledger(&state);
    put_end(&state);
    PopActiveSnapshot();
    record_export(state, number, request);
    charge::settle(slot);
    pg::leave(before);
    return static_cast<Datum>(0);
}

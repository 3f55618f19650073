// SPDX-License-Identifier: Apache-2.0
// The file is read twice: the first time everything is checked and nothing is written, the second
// time it is written, in the same transaction. Who carried the file is not trusted: its lines are
// read as their owner, its rows written as the table's.
#include "core/encoding.hpp"
#include "tenant_import.hpp"

#include "context.hpp"
#include "key_cache.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "role.hpp"
#include "tenant_import_key.hpp"
#include "tenant_import_record.hpp"
#include "verify_cursor.hpp"

namespace aegis::tenant_import {

namespace {

bool under_way = false;

void forget(void *pointer) {
    Import *state = static_cast<Import *>(pointer);
    core::wipe(state->private_key);
    delete state->ledger;  // does not throw
    state->ledger = nullptr;
}

void take_line(Import *state, core::ByteView line) {
    std::string_view text(reinterpret_cast<const char *>(line.data), line.size);
    core::ByteSpan bytes{static_cast<uint8_t *>(palloc_extended(line.size + 1, MCXT_ALLOC_HUGE)),
                         0};
    core::TenantRecord record;
    state->line++;
    pg::Report report = pg::run([&] {
        bytes.size = core::base64_decoded_size(text);
        core::from_base64(text, bytes);
        record = core::decode_tenant_record(bytes);
        state->reading.take(record, bytes);
    });
    if (report.failed)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the exported tenant cannot be read"),
                 errdetail("Line " UINT64_FORMAT ": %s.", state->line,
                           report.message != nullptr ? report.message : report.text),
                 errhint("Load the whole file into an empty table, in its order; or export "
                         "it again.")));
    take(state, record);
}

// The lines, in their order, read as the caller.
void read_all(Import *state, bool writing) {
    state->writing = writing;
    state->reading = {};
    state->line = 0;
    state->has_tenant = false;
    pg::resume(state->caller);
    char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(state->lines)),
                                             get_rel_name(state->lines));
    verify::Cursor cursor = verify::open_cursor(psprintf("SELECT line FROM %s ORDER BY n", table));
    TimestampTz told_at = GetCurrentTimestamp();
    while (HeapTuple tuple = verify::peek(&cursor)) {
        pg::become(role::owner());
        MemoryContext caller = MemoryContextSwitchTo(state->line_memory);
        bool is_null;
        Datum line = SPI_getbinval(tuple, cursor.rows->tupdesc, 1, &is_null);
        if (is_null) refuse("a line is null");
        take_line(state, pg::varlena_view(line));
        MemoryContextSwitchTo(caller);
        MemoryContextReset(state->line_memory);
        cursor.at++;
        if (TimestampDifferenceExceeds(told_at, GetCurrentTimestamp(), 5000)) {
            told_at = GetCurrentTimestamp();
            ereport(NOTICE, (errmsg("%s " UINT64_FORMAT " rows so far",
                                    writing ? "wrote" : "checked", state->reading.rows)));
        }
        pg::resume(state->caller);
    }
    SPI_cursor_close(cursor.portal);
    pg::become(role::owner());
    if (!state->reading.ended()) refuse("its end is missing");
}

void check_chain(const Import &state, const char *chain) {
    char own[2 * core::kDigestBytes + 1] = {};
    core::to_hex(state.reading.chain.view(), own);
    if (strcmp(own, chain) != 0)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED),
                 errmsg("the chain of the exported tenant is another"), errdetail("It is %s.", own),
                 errhint("Take the chain from the entry tenant.exported of the source's "
                         "ledger, not from who brought the file.")));
}

void check_whole(Import *state, const char *chain) {
    check_chain(*state, chain);
    pg::Report report = pg::run([&] { state->ledger->finish(); });
    if (report.failed || state->ledger->findings() > 0)
        refuse("the log within does not verify; see aegis-verify");
    if (!state->has_tenant) refuse("it holds no row of the tenant");
    if (state->problems.len > 0)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("the tables of the exported tenant are not those of this database"),
                        errdetail("%s.", state->problems.data),
                        errhint("Bring both databases to the same version of the schema.")));
}

void establish(const Import &state) {
    context::Context context{};
    context.tenant = state.tenant;
    context.way = context::Way::break_glass;
    context.expires_at = DT_NOEND;
    const pg_uuid_t nobody{};
    context::set_ranges(context, context::kRankAdmin, nobody, 0, 0);
    context::establish(context);
}

void record_import(const Import &state, const char *chain) {
    char hash[2 * core::kDigestBytes + 1] = {}, root[2 * core::kDigestBytes + 1] = {};
    int64 size = 0, seal = 0;
    pg::raise(pg::run([&] {
        seal = static_cast<int64>(state.ledger->newest_seal());
        core::to_hex(state.ledger->newest_hash().view(), hash);
        for (const auto &log : state.ledger->logs()) {
            size = static_cast<int64>(log.second.size);
            core::to_hex(log.second.root.view(), root);
        }
    }));
    const ledger::DetailPair pairs[] = {{"chain", chain, 0},
                                        {"database", state.database, 0},
                                        {"log_root", root, 0},
                                        {"log_size", nullptr, size},
                                        {"region", state.source_region, 0},
                                        {"rows", nullptr, static_cast<int64>(state.reading.rows)},
                                        {"seal", nullptr, seal},
                                        {"seal_hash", hash, 0}};
    uint8_t buffer[1024];
    ledger::Event event{"tenant.imported"};
    event.tenant = &state.tenant;
    event.target_kind = "tenant";
    event.target_id = state.tenant_text;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
}

void write_all(Import *state) {
    set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
                      GUC_ACTION_LOCAL, true, 0, false);
    key_cache::expect_abort();
    under_way = true;
    PG_TRY();
    { read_all(state, true); }
    PG_FINALLY();
    { under_way = false; }
    PG_END_TRY();
    set_config_option("session_replication_role", "origin", PGC_SUSET, PGC_S_SESSION,
                      GUC_ACTION_LOCAL, true, 0, false);
}

// Nothing of the caller's but these two columns is read: no policy, view or operator of theirs runs
// while rows are written, and no value is taken for a text that is none.
void require_lines(Oid lines) {
    LockRelationOid(lines, AccessShareLock);
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lines));
    bool plain = HeapTupleIsValid(tuple);
    if (plain) {
        Form_pg_class relation = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
        plain = relation->relkind == RELKIND_RELATION && !relation->relrowsecurity &&
                !relation->relhassubclass;
        ReleaseSysCache(tuple);
    }
    Oid n = plain ? get_atttype(lines, get_attnum(lines, "n")) : InvalidOid;
    if ((n != INT4OID && n != INT8OID) || get_atttype(lines, get_attnum(lines, "line")) != TEXTOID)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("the lines must be in a table, with columns n and line"),
                        errdetail("n is an integer or bigint, line a text; the table has neither "
                                  "row security nor children.")));
}

Import *begin(Oid lines) {
    Import *state = static_cast<Import *>(palloc0(sizeof(Import)));
    state->lines = lines;
    GetUserIdAndSecContext(&state->caller.user, &state->caller.security);
    state->table_memory =
        AllocSetContextCreate(CurrentMemoryContext, "aegis import table", ALLOCSET_DEFAULT_SIZES);
    state->line_memory =
        AllocSetContextCreate(CurrentMemoryContext, "aegis import line", ALLOCSET_DEFAULT_SIZES);
    initStringInfo(&state->problems);
    MemoryContextCallback *callback =
        static_cast<MemoryContextCallback *>(palloc0(sizeof(MemoryContextCallback)));
    callback->func = forget;
    callback->arg = state;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    pg::raise(pg::run([&] {
        state->ledger = new core::BundleCheck([](const std::string &, const std::string &) {});
    }));
    return state;
}

}  // namespace

bool is_under_way() {
    return under_way;
}

}  // namespace aegis::tenant_import

AEGIS_FUNCTION(aegis_import_tenant) {
    using namespace aegis;
    using namespace aegis::tenant_import;
    Oid lines = PG_GETARG_OID(0);
    const char *chain = text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (context::current() != nullptr)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_CONTEXT_REFUSED), errmsg("a tenant context is set already"),
                 errhint("Import in a transaction of its own.")));
    require_lines(lines);
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    Import *state = begin(lines);
    PushActiveSnapshot(GetTransactionSnapshot());
    read_all(state, false);
    check_whole(state, chain);
    establish(*state);
    write_all(state);
    check_chain(*state, chain);
    check_references(state->tenant);
    advance_sequences(state->tenant);
    record_import(*state, chain);
    destroy_key(state->recipient, state->tenant);
    pg_uuid_t *tenant = static_cast<pg_uuid_t *>(SPI_palloc(sizeof(pg_uuid_t)));
    *tenant = state->tenant;
    context::end();
    pg::resume(state->caller);
    PopActiveSnapshot();
    SPI_finish();
    PG_RETURN_UUID_P(tenant);
}

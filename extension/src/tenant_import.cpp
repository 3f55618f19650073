// SPDX-License-Identifier: Apache-2.0
// The file is read twice: the first time everything is checked and nothing is written, the second
// time it is written, in the same transaction. Who carried the file is not trusted: its lines are
// read as their owner, its rows written as the table's.
#include "core/bundle_check.hpp"
#include "core/encoding.hpp"
#include "core/random.hpp"
#include "core/tenant_bundle.hpp"
#include "tenant_import.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "key_cache.hpp"
#include "key_master.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tenant.hpp"
#include "tenant_import_key.hpp"
#include "tenant_import_table.hpp"
#include "verify_cursor.hpp"

namespace aegis::tenant_import {

namespace {

bool under_way = false;

struct Import {
    Oid lines;
    pg::Identity caller, own;
    MemoryContext table_memory, line_memory;
    core::TenantReading reading;
    uint64_t line;
    core::BundleCheck *ledger;
    pg_uuid_t tenant;
    char tenant_text[37], slug[64], source_region[17], database[NAMEDATALEN];
    uint8_t recipient[core::kHpkeKeyBytes], private_key[core::kKeyBytes];
    uint64_t findings;
    bool writing;
    bool has_tenant;
    Target target;
    StringInfoData problems;
    const char *name;  // of the tenant
    const char *created_at;
};

void forget(void *pointer) {
    Import *state = static_cast<Import *>(pointer);
    core::wipe(state->private_key);
    delete state->ledger;  // does not throw
    state->ledger = nullptr;
}

void copy_text(char *out, size_t bytes, std::string_view text) {
    if (text.size() >= bytes) refuse("a name in its header is too long");
    memcpy(out, text.data(), text.size());
    out[text.size()] = '\0';
}

void take_header(Import *state, const core::TenantRecord &record) {
    memcpy(state->tenant.data, record.tenant.data, UUID_LEN);
    strlcpy(state->tenant_text,
            DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&state->tenant))),
            sizeof state->tenant_text);
    copy_text(state->slug, sizeof state->slug, record.slug);
    copy_text(state->source_region, sizeof state->source_region, record.region);
    copy_text(state->database, sizeof state->database, record.database);
    memcpy(state->recipient, record.recipient.data, sizeof state->recipient);
    if (state->writing) return;
    char target[17];
    copy_text(target, sizeof target, record.target);
    if (strcmp(target, guc::region) != 0) tenant::refuse_region("exported tenant", pstrdup(target));
    private_key_of(record.recipient, state->private_key);
    if (!record.frozen)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the tenant was not suspended when it was exported"),
                        errdetail("What was written later would be lost, or live twice."),
                        errhint("Suspend it at the source, and export it again.")));
    tenant::Tenant there;
    bool same_id = tenant::find_by_id(state->tenant, &there);
    if (same_id || tenant::find_by_slug(state->slug, &there))
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                        errmsg("a tenant with this %s is here already", same_id ? "id" : "slug"),
                        errdetail("It is %s.", there.active ? "active" : there.status)));
    pg_uuid_t tenant = state->tenant;
    pg::raise(pg::run([&] { state->ledger->expect_tenant(pg::view_of(tenant)); }));
}

void take_key(Import *state, const core::TenantRecord &record) {
    uint8_t salt[32], wrapped[core::kWrappedRootBytes];
    core::MasterKey master;
    if (state->writing) key::require_active_master(&master);
    pg_uuid_t tenant = state->tenant;
    pg::Report report = pg::run([&] {
        core::Key32 root;
        core::open_tenant_root(core::Key32(state->private_key), state->reading.header_hash, record,
                               root.span());
        if (!state->writing) return;
        core::random_secret(salt);
        core::wrap_root(master, salt, pg::view_of(tenant), static_cast<uint32_t>(record.epoch),
                        root.view(), wrapped);
    });
    uint32_t version = state->writing ? master.version : 0;
    core::wipe({reinterpret_cast<uint8_t *>(&master), sizeof master});
    if (report.failed)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                        errmsg("the keys of the exported tenant cannot be opened"),
                        errdetail("They are of another file, or the header was changed.")));
    if (!state->writing) return;
    Oid types[] = {UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, BYTEAOID};
    Datum values[] = {UUIDPGetDatum(&state->tenant),
                      CStringGetTextDatum(record.is_index ? "index" : "root"),
                      Int32GetDatum(static_cast<int32>(record.epoch)),
                      Int64GetDatum(version),
                      PointerGetDatum(pg::copy_varlena(salt)),
                      PointerGetDatum(pg::copy_varlena(wrapped))};
    SPI_execute_with_args(
        "INSERT INTO aegis.tenant_key (tenant_id, kind, epoch, master_version, "
        "salt, wrapped, state) VALUES ($1, $2, $3, $4, $5, $6, 'active')",
        6, types, values, nullptr, false, 0);
}

// The columns of a table record: name, type, name, type, …
core::ByteView *columns_of(const core::TenantRecord &record) {
    core::ByteView *texts =
        static_cast<core::ByteView *>(palloc(sizeof(core::ByteView) * record.count));
    pg::raise(pg::run([&] { core::tenant_texts(record, texts, record.count); }));
    return texts;
}

void compare_table(Import *state, const core::TenantRecord &record, const core::ByteView *texts) {
    Datum *shape = static_cast<Datum *>(palloc(sizeof(Datum) * record.count));
    for (uint64 i = 0; i < record.count; i++)
        shape[i] = CStringGetTextDatum(
            text_of({reinterpret_cast<const char *>(texts[i].data), texts[i].size}));
    Oid types[] = {TEXTOID, TEXTARRAYOID};
    Datum values[] = {CStringGetTextDatum(text_of(record.name)),
                      PointerGetDatum(construct_array(shape, static_cast<int>(record.count),
                                                      TEXTOID, -1, false, TYPALIGN_INT))};
    SPI_execute_with_args("SELECT aegis.import_findings($1, $2)", 2, types, values, nullptr, false,
                          1);
    const char *found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    if (found != nullptr && state->problems.len < 4000)
        appendStringInfo(&state->problems, "%s%s", state->problems.len > 0 ? "; " : "", found);
}

void take_table(Import *state, const core::TenantRecord &record) {
    if (state->target.plan != nullptr) SPI_freeplan(state->target.plan);
    MemoryContextReset(state->table_memory);
    MemoryContext caller = MemoryContextSwitchTo(state->table_memory);
    Target target = {};
    core::ByteView *texts = columns_of(record);
    target.name = text_of(record.name);
    target.count = static_cast<int>(record.count / 2);
    target.is_tenant = strcmp(target.name, "aegis.tenant") == 0;
    target.tenant_column = -1;
    const char *wanted = target.is_tenant ? "id" : "tenant_id";
    for (int i = 0; i < target.count; i++)
        if (texts[2 * i].size == strlen(wanted) &&
            memcmp(texts[2 * i].data, wanted, texts[2 * i].size) == 0)
            target.tenant_column = i;
    if (target.tenant_column < 0) refuse("a table has no column that names the tenant");
    if (!state->writing)
        compare_table(state, record, texts);
    else if (!target.is_tenant)
        prepare_target(&target, target.name, texts, target.count);
    // Kept for the names of the columns of aegis.tenant.
    if (target.is_tenant) {
        target.types = static_cast<Oid *>(palloc0(sizeof(Oid) * target.count));
        for (int i = 0; i < target.count; i++) {
            std::string_view column(reinterpret_cast<const char *>(texts[2 * i].data),
                                    texts[2 * i].size);
            target.types[i] = column == "slug"         ? 1
                              : column == "name"       ? 2
                              : column == "region"     ? 3
                              : column == "created_at" ? 4
                                                       : 0;
        }
    }
    state->target = target;
    MemoryContextSwitchTo(caller);
}

void write_tenant(Import *state) {
    Oid types[] = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
    Datum values[] = {UUIDPGetDatum(&state->tenant), CStringGetTextDatum(state->slug),
                      CStringGetTextDatum(state->name), CStringGetTextDatum(guc::region),
                      CStringGetTextDatum(state->created_at)};
    SPI_execute_with_args(
        "INSERT INTO aegis.tenant (id, slug, name, region, status, created_at) "
        "VALUES ($1, $2, $3, $4, 'suspended', $5::pg_catalog.timestamptz)",
        5, types, values, nullptr, false, 0);
}

void take_tenant_row(Import *state, const core::ByteView *values) {
    const Target &target = state->target;
    if (state->has_tenant) refuse("it holds more than one tenant");
    state->has_tenant = true;
    for (int i = 0; i < target.count; i++) {
        std::string_view value(reinterpret_cast<const char *>(values[i].data), values[i].size);
        if (target.types[i] != 0 && values[i].data == nullptr)
            refuse("the row of the tenant is not whole");
        MemoryContext caller = MemoryContextSwitchTo(state->table_memory);
        if (target.types[i] == 2) state->name = text_of(value);
        if (target.types[i] == 4) state->created_at = text_of(value);
        MemoryContextSwitchTo(caller);
        if ((target.types[i] == 1 && !is(values[i], state->slug)) ||
            (target.types[i] == 3 && !is(values[i], state->source_region)))
            refuse("the row of the tenant is not what the header says");
    }
    if (state->writing) write_tenant(state);
}

void take_row(Import *state, const core::TenantRecord &record) {
    core::ByteView *values =
        static_cast<core::ByteView *>(palloc0(sizeof(core::ByteView) * (record.count + 1)));
    pg::raise(pg::run([&] { core::tenant_texts(record, values, record.count); }));
    if (!is(values[state->target.tenant_column], state->tenant_text))
        refuse("a row belongs to another tenant");
    if (state->target.is_tenant)
        take_tenant_row(state, values);
    else if (state->writing)
        write_row(state->target, values);
}

void take_ledger(Import *state, const core::TenantRecord &record) {
    if (state->writing) return;
    size_t size = core::base64_size(record.ledger.size);
    char *line = static_cast<char *>(palloc_extended(size, MCXT_ALLOC_HUGE));
    core::to_base64(record.ledger, line);
    pg::Report report = pg::run([&] { state->ledger->line({line, size}); });
    if (report.failed) refuse("the log within cannot be read");
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
    switch (record.kind) {
        case core::TenantKind::header:
            return take_header(state, record);
        case core::TenantKind::key:
            return take_key(state, record);
        case core::TenantKind::table:
            return take_table(state, record);
        case core::TenantKind::row:
            return take_row(state, record);
        case core::TenantKind::ledger:
            return take_ledger(state, record);
        case core::TenantKind::table_end:
        case core::TenantKind::end:
            return;
    }
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

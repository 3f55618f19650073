// SPDX-License-Identifier: Apache-2.0
// The same steps check and write: only while writing they leave something behind.
#include "core/encoding.hpp"
#include "core/random.hpp"
#include "tenant_import_record.hpp"

#include "guc.hpp"
#include "key_master.hpp"
#include "key_root.hpp"
#include "pg/function.hpp"
#include "tenant.hpp"
#include "tenant_import_key.hpp"

namespace aegis::tenant_import {

namespace {

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
    if (!private_key_of(record.recipient, state->private_key))
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                 errmsg("the exported tenant is for another recipient"),
                 errdetail("Its keys are sealed for a key that this database never made, has used "
                           "already, or that has expired."),
                 errhint("Export it again, for a new aegis.import_key().")));
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
                        root.view(), wrapped, record.suite);
    });
    uint32_t version = state->writing ? master.version : 0;
    core::wipe({reinterpret_cast<uint8_t *>(&master), sizeof master});
    if (report.failed)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                        errmsg("the keys of the exported tenant cannot be opened"),
                        errdetail("They are of another file, or the header was changed.")));
    if (!state->writing) return;
    Oid types[] = {UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, BYTEAOID, INT2OID, BYTEAOID};
    bool has_check = record.check_value.size != 0;
    const char nulls[] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', has_check ? ' ' : 'n', '\0'};
    Datum values[] = {UUIDPGetDatum(&state->tenant),
                      CStringGetTextDatum(record.is_index ? "index" : "root"),
                      Int32GetDatum(static_cast<int32>(record.epoch)),
                      Int64GetDatum(version),
                      PointerGetDatum(pg::copy_varlena(salt)),
                      PointerGetDatum(pg::copy_varlena(wrapped)),
                      Int16GetDatum(static_cast<int16>(record.suite)),
                      has_check ? PointerGetDatum(pg::copy_varlena(record.check_value)) : Datum(0)};
    SPI_execute_with_args(
        "INSERT INTO aegis.tenant_key (tenant_id, kind, epoch, master_version, salt, wrapped, "
        "state, suite, check_value) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8)",
        8, types, values, nulls, false, 0);
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

}  // namespace

void take(Import *state, const core::TenantRecord &record) {
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

}  // namespace aegis::tenant_import

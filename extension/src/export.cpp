// SPDX-License-Identifier: Apache-2.0
// Writes the sealed ledger, or one tenant's part of it, as the lines of a bundle, in one snapshot.
// It copies what is stored and judges nothing: whoever checks the bundle must see what a
// verification here would see. docs/export.md, docs/format/bundle-v1.md.
#include "core/bundle.hpp"
#include "core/encoding.hpp"

#include "export.hpp"

#include "catalogue.hpp"
#include "charge.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "verify_cursor.hpp"

namespace aegis::verify {

namespace {

struct Export {
    ReturnSetInfo *result;
    MemoryContext scratch;  // of one line
    int64 only;             // number of the only log with entries; 0 for all of them
    Cursor heads, entries;
    uint64_t seal_count, head_count, entry_count;
    core::Digest chain, newest_hash;
};

Datum value_of(const Cursor &cursor, HeapTuple tuple, int column, bool *is_null) {
    return SPI_getbinval(tuple, cursor.rows->tupdesc, column, is_null);
}

int64 number_of(const Cursor &cursor, HeapTuple tuple, int column) {
    bool is_null;
    Datum value = value_of(cursor, tuple, column, &is_null);
    return is_null ? 0 : DatumGetInt64(value);
}

core::ByteView bytes_of(const Cursor &cursor, HeapTuple tuple, int column) {
    bool is_null;
    Datum value = value_of(cursor, tuple, column, &is_null);
    return is_null ? core::ByteView() : pg::varlena_view(value);
}

// One line: the record in base64. Uses the scratch context, and empties it.
void put(Export *state, const core::BundleRecord &record) {
    size_t size = core::encode_bundle_record(record, {});
    core::ByteSpan bytes{static_cast<uint8_t *>(MemoryContextAllocHuge(state->scratch, size)),
                         size};
    core::encode_bundle_record(record, bytes);
    if (record.kind != core::BundleKind::end)
        pg::raise(pg::run([&] { state->chain = core::bundle_chain(state->chain, bytes); }));
    put_line(state->result, state->scratch, bytes);
}

// Columns: seal, log, first_leaf, place, seq, leaf, body, hash of a leaf that was cut. OFFSET 0
// keeps the leaves together: without it the planner joins the entries anew for every row of
// aegis.seal_leaves.
constexpr const char *kEntryQuery =
    "SELECT n.seal, n.log, n.first_leaf, n.place, n.seq, e.leaf, e.body, n.kept"
    " FROM (SELECT l.seal, l.log::bigint AS log, l.first_leaf, u.place, u.seq,"
    " CASE WHEN l.first_leaf + u.place <= c.size"
    " THEN substr(l.leaves, (32 * u.place - 31)::integer, 32) END AS kept"
    " FROM aegis.seal_leaves l"
    " LEFT JOIN (SELECT log, max(size) AS size FROM aegis.ledger_cut GROUP BY log) c"
    " ON c.log = l.log"
    " CROSS JOIN LATERAL unnest(l.seqs) WITH ORDINALITY AS u(seq, place)"
    " WHERE " INT64_FORMAT
    " IN (0, l.log) OFFSET 0) n"
    " LEFT JOIN aegis.entry e ON e.seq = n.seq ORDER BY 1, 2, 3, 4, e.leaf";

// Columns: seal, log, size, entries, log id, tenant, root.
constexpr const char *kHeadQuery =
    "SELECT l.seal, l.log::bigint, max(l.first_leaf + cardinality(l.seqs)),"
    " sum(cardinality(l.seqs))::bigint, t.log_id, t.tenant_id,"
    " (array_agg(l.root ORDER BY l.first_leaf DESC))[1]"
    " FROM aegis.seal_leaves l LEFT JOIN aegis.tenant_log t ON t.log = l.log"
    " GROUP BY l.seal, l.log, t.log_id, t.tenant_id ORDER BY 1, 2";

// The entries of a log in a seal. A second entry with the same seq is passed over.
void put_entries(Export *state, int64 seal, int64 log, int64 count) {
    int64 written = 0, last_first = -1, last_place = -1;
    HeapTuple tuple;
    while ((tuple = peek(&state->entries)) != nullptr) {
        const Cursor &at = state->entries;
        int64 its_seal = number_of(at, tuple, 1), its_log = number_of(at, tuple, 2);
        if (its_seal > seal || (its_seal == seal && its_log > log)) break;
        int64 first = number_of(at, tuple, 3), place = number_of(at, tuple, 4);
        bool wanted =
            its_seal == seal && its_log == log && (first != last_first || place != last_place);
        last_first = first;
        last_place = place;
        if (wanted) {
            MemoryContext caller = MemoryContextSwitchTo(state->scratch);
            core::BundleRecord record;
            record.kind = core::BundleKind::entry;
            record.seq = number_of(at, tuple, 5);
            record.leaf = bytes_of(at, tuple, 6);
            record.body = bytes_of(at, tuple, 7);
            if (record.body.size == 0 && record.leaf.size == 0)
                record.leaf = bytes_of(at, tuple, 8);
            MemoryContextSwitchTo(caller);
            // A leaf of another length is no leaf, and a reader would refuse it.
            if (record.leaf.size != core::kDigestBytes) record.leaf = {};
            put(state, record);
            written++;
        }
        state->entries.at++;
    }
    if (written != count)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("seal " INT64_FORMAT " names " INT64_FORMAT
                               " entries of a log, and " INT64_FORMAT " were found",
                               seal, count, written),
                        errhint("aegis.verify_ledger() says more.")));
    state->entry_count += static_cast<uint64_t>(written);
}

void put_head(Export *state, HeapTuple tuple, int64 seal) {
    static const uint8_t unknown[core::kLogIdBytes] = {};
    const Cursor &at = state->heads;
    int64 log = number_of(at, tuple, 2), count = number_of(at, tuple, 4);
    bool is_null;
    core::Digest root{}, leaf;
    Datum stored = value_of(at, tuple, 7, &is_null);
    copy_digest(stored, is_null, &root);
    MemoryContext caller = MemoryContextSwitchTo(state->scratch);
    core::ByteView id = bytes_of(at, tuple, 5);
    MemoryContextSwitchTo(caller);
    if (id.size != core::kLogIdBytes) id = unknown;
    uint64_t size = static_cast<uint64_t>(number_of(at, tuple, 3));
    core::BundleRecord record;
    state->head_count++;
    if (state->only != 0 && state->only != log) {
        pg::raise(pg::run([&] { leaf = core::head_leaf(id, size, root); }));
        record.kind = core::BundleKind::other_head;
        record.leaf = leaf.view();
        put(state, record);
        return;
    }
    Datum tenant = value_of(at, tuple, 6, &is_null);
    if (!is_null) record.tenant = pg::view_of(*DatumGetUUIDP(tenant));
    record.kind = core::BundleKind::head;
    record.log_id = id;
    record.size = size;
    record.root = root.view();
    record.entries = static_cast<uint64_t>(count);
    put(state, record);
    put_entries(state, seal, log, count);
}

void put_seals(Export *state) {
    state->heads = open_cursor(kHeadQuery);
    state->entries = open_cursor(psprintf(kEntryQuery, state->only));
    Cursor seals = open_cursor("SELECT number, body FROM aegis.seal ORDER BY number");
    HeapTuple tuple;
    while ((tuple = peek(&seals)) != nullptr) {
        int64 number = number_of(seals, tuple, 1);
        core::BundleRecord record;
        record.kind = core::BundleKind::seal;
        MemoryContext caller = MemoryContextSwitchTo(state->scratch);
        record.body = bytes_of(seals, tuple, 2);
        MemoryContextSwitchTo(caller);
        pg::raise(pg::run([&] { state->newest_hash = core::seal_hash(record.body); }));
        put(state, record);
        state->seal_count++;
        // Heads of a seal that is gone have no place; its number is missed.
        while ((tuple = peek(&state->heads)) != nullptr) {
            int64 its_seal = number_of(state->heads, tuple, 1);
            if (its_seal > number) break;
            if (its_seal == number) put_head(state, tuple, number);
            state->heads.at++;
        }
        seals.at++;
    }
}

// The first column of the first row; 0 when there is none.
int64 one_number(const char *query) {
    if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the ledger")));
    if (SPI_processed == 0) return 0;
    bool is_null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    return is_null ? 0 : DatumGetInt64(value);
}

int64 log_of_tenant(const char *tenant) {
    int64 log = one_number(
        psprintf("SELECT log::bigint FROM aegis.tenant_log WHERE tenant_id = '%s'::uuid", tenant));
    if (log == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN),
                        errmsg("nothing is sealed of tenant \"%s\"", tenant),
                        errhint("aegis.tenants() lists the tenants; aegis.wait_sealed() waits for "
                                "their first seal.")));
    return log;
}

void record_export(const pg_uuid_t *tenant, const char *name, int64 newest, int64 entries) {
    const ledger::DetailPair pairs[] = {{"entries", nullptr, entries}, {"seal", nullptr, newest}};
    uint8_t buffer[64];
    ledger::Event event{};
    event.type = "ledger.exported";
    event.tenant = tenant;
    event.target_kind = tenant != nullptr ? "tenant" : "ledger";
    event.target_id = name;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    int slot = catalogue::charge_reading(event);
    ledger::append(event);
    if (slot >= 0) charge::settle(slot);
}

// So that aegis.cut_ledger() knows that there is a file. Of the statement only a hash is kept: who
// gives it has it from the check of the file.
void remember(const Export &state, const pg_uuid_t *tenant, int64 newest) {
    if (XactReadOnly || newest == 0) return;
    core::Digest statement, hash;
    pg::raise(pg::run([&] {
        statement = core::bundle_statement(state.chain, state.newest_hash);
        hash = core::sha256(statement.view());
    }));
    Oid types[] = {UUIDOID, INT8OID, BYTEAOID, TEXTOID};
    Datum values[] = {UUIDPGetDatum(tenant), Int64GetDatum(newest),
                      PointerGetDatum(pg::copy_varlena(hash.view())),
                      CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))};
    ledger_tables::own_change([&] {
        if (SPI_execute_with_args("INSERT INTO aegis.ledger_export (tenant_id, seal, statement, "
                                  "exported_by) VALUES ($1, $2, $3, $4)",
                                  4, types, values, tenant == nullptr ? "n   " : "    ", false,
                                  0) != SPI_OK_INSERT)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not note the export")));
    });
}

}  // namespace

void put_line(ReturnSetInfo *result, MemoryContext scratch, core::ByteView record) {
    MemoryContext caller = MemoryContextSwitchTo(scratch);
    struct varlena *line = pg::alloc_varlena(core::base64_size(record.size));
    core::to_base64(record, VARDATA(line));
    Datum value = PointerGetDatum(line);
    bool is_null = false;
    tuplestore_putvalues(result->setResult, result->setDesc, &value, &is_null);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(scratch);
}

}  // namespace aegis::verify

AEGIS_FUNCTION(aegis_export_ledger) {
    using namespace aegis;
    using namespace aegis::verify;
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    Export state = {};
    state.result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    state.scratch =
        AllocSetContextCreate(CurrentMemoryContext, "aegis export", ALLOCSET_DEFAULT_SIZES);
    // One snapshot for everything: the sealer goes on meanwhile.
    PushActiveSnapshot(GetTransactionSnapshot());
    const char *name = nullptr;
    if (tenant != nullptr) {
        name = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(tenant)));
        state.only = log_of_tenant(name);
    }
    int64 newest = one_number("SELECT max(number) FROM aegis.seal");

    const char *database = NameStr(*DatumGetName(DirectFunctionCall1(current_database, 0)));
    const char *utf8 = pg_server_to_any(database, static_cast<int>(strlen(database)), PG_UTF8);
    core::BundleRecord header;
    header.database = utf8;
    header.exported_at = ledger::unix_micros(GetCurrentTimestamp());
    if (tenant != nullptr) header.tenant = pg::view_of(*tenant);
    header.newest_seal = static_cast<uint64_t>(newest);
    put(&state, header);
    put_seals(&state);
    core::BundleRecord end;
    end.kind = core::BundleKind::end;
    end.seals = state.seal_count;
    end.heads = state.head_count;
    end.entries = state.entry_count;
    core::Digest chain = state.chain;
    end.chain = chain.view();
    put(&state, end);

    PopActiveSnapshot();
    remember(state, tenant, newest);
    record_export(tenant, name, newest, static_cast<int64>(state.entry_count));
    SPI_finish();
    return static_cast<Datum>(0);
}

// SPDX-License-Identifier: Apache-2.0
// aegis.receipt: one entry with the path from it to a signed checkpoint. What is given out was
// checked first, so that a damaged ledger yields an error and no receipt that fails elsewhere.
#include <string>

#include "core/cut.hpp"
#include "core/error.hpp"
#include "core/note.hpp"
#include "core/receipt.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tree.hpp"

namespace aegis::tree {

namespace {

struct Entry {  // where a leaf of a log was sealed
    int64 seal, seq;
    core::ByteView body;
};

struct Head {  // the log's head in that seal
    uint64 size, index;
    core::ByteView log_id;
};

struct Note {
    uint64 size;
    core::ByteView text;
};

[[noreturn]] void damaged(const char *what) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the ledger is damaged: %s", what),
                    errhint("aegis.verify_ledger() says more.")));
    pg_unreachable();
}

int64 number(int at) {
    bool is_null;
    Datum value = pg::column(0, at, &is_null);
    return is_null ? 0 : DatumGetInt64(value);
}

core::ByteView bytes(int at) {
    bool is_null;
    Datum value = pg::column(0, at, &is_null);
    return is_null ? core::ByteView() : pg::varlena_view(value);
}

void find_leaf(int32 log, uint64 leaf, Entry *entry) {
    static pg::Statement statement = {
        "SELECT seal, seqs[($2 OPERATOR(pg_catalog.-) first_leaf OPERATOR(pg_catalog.+) "
        "1)::pg_catalog.int4] FROM aegis.seal_leaves WHERE log OPERATOR(pg_catalog.=) $1 AND "
        "first_leaf OPERATOR(pg_catalog.<=) $2 ORDER BY first_leaf DESC LIMIT 1",
        2,
        {INT4OID, INT8OID},
        nullptr};
    Datum values[2] = {Int32GetDatum(log), Int64GetDatum(static_cast<int64>(leaf))};
    if (pg::read(statement, values) == 0) damaged("a leaf is missing");
    entry->seal = number(1);
    entry->seq = number(2);
}

// An entry that was cut has no receipt any more; whoever kept one proves it as before.
void refuse_if_cut(int32 log, uint64 leaf) {
    static pg::Statement statement = {
        "SELECT body FROM aegis.ledger_cut WHERE log OPERATOR(pg_catalog.=) $1 AND size "
        "OPERATOR(pg_catalog.>) $2 ORDER BY size LIMIT 1",
        2,
        {INT4OID, INT8OID},
        nullptr};
    Datum values[2] = {Int32GetDatum(log), Int64GetDatum(static_cast<int64>(leaf))};
    if (pg::read(statement, values) == 0) return;
    core::ByteView body = bytes(1);
    core::EntryFields entry;
    core::Cut cut;
    pg::raise(pg::run([&] {
        entry = core::decode_entry(body);
        core::read_cut(entry, &cut);
    }));
    auto text_of = [](std::string_view view) { return pnstrdup(view.data(), view.size()); };
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_ENTRY_CUT),
             errmsg("leaf " UINT64_FORMAT " was cut from the log", leaf),
             errdetail("Leaves below " UINT64_FORMAT
                       " were cut at %s; \"%s\" asked for it, \"%s\" agreed: %s.",
                       cut.size, timestamptz_to_str(entry.unix_micros - ledger::unix_micros(0)),
                       text_of(cut.requested_by), text_of(cut.approved_by), text_of(cut.reason)),
             errhint("Its hash is still in the log: a receipt or an export that was kept proves "
                     "it.")));
}

// No index finds an entry by its number; the snapshots between which it was sealed tell which
// transactions to look at, as they do for the sealer.
void find_body(Entry *entry) {
    static pg::Statement seals = {
        "SELECT coalesce(b.epoch, 1)::pg_catalog.int8, coalesce(b.snapshot, '1:1:'), CASE WHEN "
        "coalesce(b.epoch, 1) OPERATOR(pg_catalog.=) s.epoch THEN "
        "pg_catalog.pg_snapshot_xmax(s.snapshot) ELSE '9223372036854775807'::pg_catalog.xid8 END, "
        "s.epoch::pg_catalog.int8 FROM aegis.seal s LEFT JOIN aegis.seal b ON b.number "
        "OPERATOR(pg_catalog.=) (s.number OPERATOR(pg_catalog.-) 1) WHERE s.number "
        "OPERATOR(pg_catalog.=) $1",
        1,
        {INT8OID},
        nullptr};
    static pg::Statement bodies = {
        "SELECT body FROM aegis.entry WHERE seq OPERATOR(pg_catalog.=) $1 AND epoch "
        "OPERATOR(pg_catalog.=) $2 AND xid OPERATOR(pg_catalog.>=) "
        "pg_catalog.pg_snapshot_xmax($3) AND xid OPERATOR(pg_catalog.<) $4 UNION ALL SELECT e.body "
        "FROM pg_catalog.pg_snapshot_xip($3) open CROSS JOIN LATERAL (SELECT body FROM aegis.entry "
        "WHERE seq OPERATOR(pg_catalog.=) $1 AND epoch OPERATOR(pg_catalog.=) $2 AND xid "
        "OPERATOR(pg_catalog.=) open OFFSET 0) e UNION "
        "ALL SELECT body FROM aegis.entry WHERE seq OPERATOR(pg_catalog.=) $1 AND epoch "
        "OPERATOR(pg_catalog.>) $2 AND epoch OPERATOR(pg_catalog.<=) $5",
        5,
        {INT8OID, INT4OID, PG_SNAPSHOTOID, XID8OID, INT4OID},
        nullptr};
    Datum seal = Int64GetDatum(entry->seal);
    if (pg::read(seals, &seal) == 0) damaged("a seal is missing");
    bool is_null;
    Datum values[5] = {Int64GetDatum(entry->seq), Int32GetDatum(static_cast<int32>(number(1))),
                       pg::column(0, 2, &is_null), pg::column(0, 3, &is_null),
                       Int32GetDatum(static_cast<int32>(number(4)))};
    if (pg::read(bodies, values) == 0) damaged("an entry that is sealed is missing");
    entry->body = bytes(1);
}

// The heads of a seal follow those of the seal before, in the order of their logs.
void find_head(int32 log, int64 seal, Head *head) {
    static pg::Statement statement = {
        "SELECT l.first_leaf OPERATOR(pg_catalog.+) (pg_catalog.octet_length(l.leaves) "
        "OPERATOR(pg_catalog./) 32), coalesce((SELECT b.root_size FROM aegis.seal b WHERE b.number "
        "OPERATOR(pg_catalog.=) (l.seal OPERATOR(pg_catalog.-) 1)), 0) OPERATOR(pg_catalog.+) "
        "(SELECT pg_catalog.count(*) FROM aegis.seal_leaves o WHERE o.seal OPERATOR(pg_catalog.=) "
        "l.seal AND o.log OPERATOR(pg_catalog.<) l.log AND o.root IS NOT NULL), t.log_id FROM "
        "aegis.seal_leaves l JOIN aegis.tenant_log t ON t.log OPERATOR(pg_catalog.=) l.log WHERE "
        "l.log OPERATOR(pg_catalog.=) $1 AND l.seal OPERATOR(pg_catalog.=) $2 AND l.root IS NOT "
        "NULL",
        2,
        {INT4OID, INT8OID},
        nullptr};
    Datum values[2] = {Int32GetDatum(log), Int64GetDatum(seal)};
    if (pg::read(statement, values) == 0) damaged("a head is missing");
    head->size = static_cast<uint64>(number(1));
    head->index = static_cast<uint64>(number(2));
    head->log_id = bytes(3);
    if (head->log_id.size != core::kLogIdBytes) damaged("the id of a log is not one");
}

void find_note(uint64 index, Note *note) {
    // The newest that is witnessed, when it covers the head; otherwise the newest of all.
    static pg::Statement statement = {
        "SELECT k.size, aegis.cosigned_note(k.number) FROM aegis.checkpoint k WHERE k.number "
        "OPERATOR(pg_catalog.=) coalesce((SELECT w.number FROM aegis.checkpoint w WHERE w.number "
        "OPERATOR(pg_catalog.=) aegis.newest_witnessed() AND w.size OPERATOR(pg_catalog.>) $1), "
        "(SELECT pg_catalog.max(o.number) FROM aegis.checkpoint o))",
        1,
        {INT8OID},
        nullptr};
    Datum value = Int64GetDatum(static_cast<int64>(index));
    uint64 size = pg::read(statement, &value) == 0 ? 0 : static_cast<uint64>(number(1));
    if (size <= index)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("no signed checkpoint covers the entry yet"),
                 errhint("aegis.wait_checkpoint() waits for it; aegis.signer must be set.")));
    note->size = size;
    note->text = bytes(2);
}

// The text of the receipt, in a copy that outlives the SPI connection.
text *compose(const Entry &entry, uint64 leaf, const Head &head, const Path &path,
              const Path &root_path, const Note &note) {
    text *result = nullptr;
    size_t size = 0;
    bool sound = false;
    // Twice: nothing may be allocated while C++ objects are alive.
    for (int round = 0; round < 2; round++) {
        pg::raise(pg::run([&] {
            core::Receipt receipt;
            receipt.body.assign(reinterpret_cast<const char *>(entry.body.data), entry.body.size);
            receipt.leaf = leaf;
            receipt.size = head.size;
            receipt.path.assign(path.hashes, path.hashes + path.count);
            memcpy(receipt.log_id, head.log_id.data, sizeof receipt.log_id);
            receipt.index = head.index;
            receipt.root_path.assign(root_path.hashes, root_path.hashes + root_path.count);
            receipt.note.assign(reinterpret_cast<const char *>(note.text.data), note.text.size);
            const std::string all = core::format_receipt(receipt);
            size = all.size();
            if (result == nullptr)
                sound = core::verify_receipt(
                    core::parse_receipt(all),
                    core::parse_checkpoint(core::parse_note(receipt.note).text));
            else
                memcpy(VARDATA(result), all.data(), size);
        }));
        if (!sound) damaged("the checkpoint does not cover the entry");
        if (result == nullptr) result = reinterpret_cast<text *>(pg::alloc_varlena(size));
    }
    return result;
}

}  // namespace

text *receipt(MemoryContext memory, const pg_uuid_t *tenant, int64 asked) {
    int32 log = log_of(tenant);
    uint64 leaf = require_leaf(log, asked);
    Entry entry = {};
    Head head = {};
    Note note = {};
    refuse_if_cut(log, leaf);
    find_leaf(log, leaf, &entry);
    find_head(log, entry.seal, &head);
    find_note(head.index, &note);
    find_body(&entry);
    Path path = inclusion(log, leaf, head.size);
    Path root_path = inclusion(kRootLog, head.index, note.size);
    MemoryContext before = MemoryContextSwitchTo(memory);
    text *made = compose(entry, leaf, head, path, root_path, note);
    MemoryContextSwitchTo(before);
    return made;
}

}  // namespace aegis::tree

using namespace aegis;

AEGIS_FUNCTION(aegis_receipt) {
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    tree::require_permission(tenant);
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity caller = pg::enter();
    text *receipt = tree::receipt(memory, tenant, PG_GETARG_INT64(1));
    pg::leave(caller);
    PG_RETURN_TEXT_P(receipt);
}

// SPDX-License-Identifier: Apache-2.0
// A row of aegis.ledger_cut is believed as far as its body goes, and the body as far as its hash is
// a leaf of the log: so a cut that nobody recorded, or that was moved, shows.
#include "core/cut.hpp"

#include "verify_cut.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "verify_cursor.hpp"

namespace aegis::verify_cut {

namespace {

void find(State *state, const Log &log, Cut *cut, const char *what) {
    cut->faulty = true;
    verify::finding(state->report, verify::kCuts, log.name,
                    psprintf("the cut at size " INT64_FORMAT ": %s", cut->column_size, what));
}

// "at ..., asked for by ..., agreed to by ...: ..."
const char *tell(const core::Cut &said, int64 unix_micros) {
    TimestampTz at = unix_micros - ledger::unix_micros(0);
    auto text = [](std::string_view view) {
        return pg_any_to_server(pnstrdup(view.data(), view.size()), static_cast<int>(view.size()),
                                PG_UTF8);
    };
    return psprintf("at %s, asked for by %s, agreed to by %s: %s", timestamptz_to_str(at),
                    text(said.requested_by), text(said.approved_by), text(said.reason));
}

void read_body(State *state, const Log &log, Cut *cut, core::ByteView body) {
    core::EntryFields entry;
    core::Cut said;
    bool is_cut = false;
    pg::Report report = pg::run([&] {
        cut->leaf = core::leaf_hash(body);
        entry = core::decode_entry(body);
        is_cut = core::read_cut(entry, &said);
    });
    if (report.failed || !is_cut) {
        find(state, log, cut, "its body is not an entry that records a cut");
        return;
    }
    bool same_tenant =
        entry.tenant.size == log.tenant.size &&
        (log.tenant.size == 0 || memcmp(entry.tenant.data, log.tenant.data, UUID_LEN) == 0);
    if (!same_tenant || static_cast<int64>(said.size) != cut->column_size) {
        find(state, log, cut, "its columns say something else than its entry");
        if (!same_tenant) return;
    }
    cut->size = static_cast<int64>(said.size);
    cut->root = said.root;
    cut->xid = entry.xid;
    cut->epoch = static_cast<int32>(entry.epoch);
    cut->told = tell(said, entry.unix_micros);
}

template <typename Visit>
void each(State *state, const Log &log, Visit visit) {
    for (int i = 0; i < state->count; i++)
        if (state->cuts[i].log == log.number) visit(&state->cuts[i]);
}

}  // namespace

void read(State *state) {
    if (SPI_execute("SELECT log, size, coalesce(seal, 0), coalesce(seq, 0), coalesce(frontier, "
                    "''), coalesce(body, '') FROM aegis.ledger_cut ORDER BY log, size",
                    true, 0) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the cuts")));
    state->count = static_cast<int>(SPI_processed);
    state->cuts = static_cast<Cut *>(palloc0(sizeof(Cut) * Max(state->count, 1)));
    for (int i = 0; i < state->count; i++) {
        HeapTuple row = SPI_tuptable->vals[i];
        TupleDesc shape = SPI_tuptable->tupdesc;
        bool is_null;
        Cut *cut = &state->cuts[i];
        cut->log = DatumGetInt32(SPI_getbinval(row, shape, 1, &is_null));
        cut->column_size = DatumGetInt64(SPI_getbinval(row, shape, 2, &is_null));
        cut->seal = DatumGetInt64(SPI_getbinval(row, shape, 3, &is_null));
        cut->seq = DatumGetInt64(SPI_getbinval(row, shape, 4, &is_null));
        cut->frontier = pg::varlena_view(SPI_getbinval(row, shape, 5, &is_null));
        cut->body = pg::varlena_view(SPI_getbinval(row, shape, 6, &is_null));
    }
}

int64 begin(State *state, const Log &log) {
    int64 size = 0;
    each(state, log, [&](Cut *cut) {
        read_body(state, log, cut, cut->body);
        state->report->items[verify::kCuts]++;
        size = Max(size, cut->size);
    });
    return size;
}

void at_leaf(State *state, const Log &log, int64 leaf, int64 seq, const core::Digest &hash) {
    each(state, log, [&](Cut *cut) {
        if (cut->size > 0 && leaf >= cut->size && seq == cut->seq && verify::same(hash, cut->leaf))
            cut->recorded = true;
    });
}

void at_head(State *state, const Log &log, int64 seal, const core::Frontier &frontier) {
    each(state, log, [&](Cut *cut) {
        if (cut->size != static_cast<int64>(frontier.size)) return;
        cut->met = true;
        core::Digest root;
        size_t size = core::frontier_size(frontier);
        uint8_t *encoded = static_cast<uint8_t *>(palloc(size));
        pg::raise(pg::run([&] {
            root = frontier.root();
            core::encode_frontier(frontier, {encoded, size});
        }));
        if (!verify::same(root, cut->root))
            find(state, log, cut, "its entry names another root than the log had there");
        if (cut->frontier.size != size || memcmp(cut->frontier.data, encoded, size) != 0)
            find(state, log, cut, "its frontier is not what the log's hashes lead to");
        if (cut->seal != seal)
            find(state, log, cut,
                 psprintf("it names seal " INT64_FORMAT
                          ", the log had this size in seal " INT64_FORMAT,
                          cut->seal, seal));
    });
}

void pass_over(State *state, const Log &log, int64 size) {
    each(state, log, [&](Cut *cut) {
        if (cut->size > 0 && cut->size <= size) cut->met = cut->recorded = true;
    });
}

void finish(State *state, const Log &log, bool (*is_due)(void *, int32 epoch, uint64 xid),
            void *argument, const Hollow &hollow, bool whole) {
    Cut *newest = nullptr, *recorded = nullptr;
    each(state, log, [&](Cut *cut) {
        if (cut->size == 0) return;
        newest = cut;
        if (cut->recorded) recorded = cut;
        if (!whole) return;
        if (!cut->met) find(state, log, cut, "the log has no head of this size");
        if (!cut->recorded && is_due(argument, cut->epoch, cut->xid))
            find(state, log, cut, "no leaf of the log is the entry that records it");
    });
    if (newest == nullptr || !whole) return;
    // What an earlier cut removed is gone by right while the newest one waits for its seal.
    if (hollow.end > (recorded != nullptr ? recorded->size : 0) && !newest->faulty)
        find(state, log, newest,
             psprintf(INT64_FORMAT " entries are gone, and the entry that records it is not sealed",
                      hollow.count));
    if (newest->faulty) return;
    const Cut *told = recorded != nullptr ? recorded : newest;
    verify::put(state->report, "cuts", log.name, "ok", hollow.count,
                psprintf("leaves below " INT64_FORMAT " were cut %s (entry seq " INT64_FORMAT ")",
                         told->size, told->told, told->seq));
}

}  // namespace aegis::verify_cut

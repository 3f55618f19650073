// SPDX-License-Identifier: Apache-2.0
// Verifies the ledger in one snapshot, all of it or what came after a checkpoint: hashes every
// body, rebuilds every log from the entries that its leaves name, every head of the root log, and
// the chain of seals. It reads what is there and trusts nothing but the checkpoint to start from
// and the newest seal, which the last rows of the result name.
#include "core/seal.hpp"

#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "tree.hpp"
#include "verify_cursor.hpp"
#include "verify_progress.hpp"
#include "verify_state.hpp"

namespace aegis::verify {

namespace {

void report_odd(void *pointer, int64 seq, verify_window::Odd what) {
    finding(static_cast<State *>(pointer), kEntries, psprintf("entry seq " INT64_FORMAT, seq),
            what == verify_window::Odd::duplicate ? "there are two entries with this seq"
                                                  : "it is far from all others");
}

int compare_tenants(const void *a, const void *b) {
    return verify_scan::compare_keys(static_cast<const verify_scan::Tenant *>(a)->key,
                                     static_cast<const verify_scan::Tenant *>(b)->key);
}

void read_logs(State *state) {
    if (SPI_execute("SELECT log, coalesce(log_id, ''), tenant_id, size, root, coalesce(frontier, "
                    "'') FROM aegis.tenant_log",
                    true, 0) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the logs")));
    state->tenants = static_cast<verify_scan::Tenants *>(
        palloc0(verify_scan::size_of(static_cast<int32>(SPI_processed))));
    state->tenants->has_only = state->only != nullptr;
    if (state->only != nullptr) state->tenants->only = *state->only;
    for (uint64 i = 0; i < SPI_processed; i++) {
        bool is_null;
        HeapTuple row = SPI_tuptable->vals[i];
        TupleDesc shape = SPI_tuptable->tupdesc;
        int32 number = DatumGetInt32(SPI_getbinval(row, shape, 1, &is_null));
        bool known;
        Log *log = static_cast<Log *>(hash_search(state->logs, &number, HASH_ENTER, &known));
        if (known && log->checked)
            finding(state, kHeads, name_of(log), "there are two heads of it");
        memset(&log->key, 0, sizeof log->key);
        log->frontier = core::Frontier();
        log->start = 0;
        log->start_root = core::Digest();
        log->broken = false;
        log->hollow = {};
        core::ByteView id = pg::varlena_view(SPI_getbinval(row, shape, 2, &is_null));
        memset(log->id, 0, sizeof log->id);
        memcpy(log->id, id.data, Min(id.size, sizeof log->id));
        Datum tenant = SPI_getbinval(row, shape, 3, &is_null);
        if (!is_null) log->key = {1, *DatumGetUUIDP(tenant)};
        log->size = DatumGetInt64(SPI_getbinval(row, shape, 4, &is_null));
        Datum root = SPI_getbinval(row, shape, 5, &is_null);
        if (!copy_digest(root, is_null, &log->root))
            memset(log->root.bytes, 0, sizeof log->root.bytes);
        log->stored = pg::varlena_view(SPI_getbinval(row, shape, 6, &is_null));
        log->checked =
            state->only == nullptr ||
            (log->key.has_tenant && memcmp(&log->key.tenant, state->only, UUID_LEN) == 0);
        if (log->checked && id.size != sizeof log->id)
            finding(state, kHeads, name_of(log), "its id is not one");
        log->cut = log->checked ? verify_cut::begin(&state->cuts, for_cuts(log)) : 0;
        state->tenants->list[state->tenants->count++] = {log->key, number};
        state->report.items[kLogs] += log->checked;
    }
    qsort(state->tenants->list, state->tenants->count, sizeof(verify_scan::Tenant),
          compare_tenants);
}

// One row of aegis.seal_leaves: appends what its entries hash to.
void walk_leaves(State *state, int64 seal, int32 number, int64 first_leaf, const int64 *seqs,
                 int count, core::ByteView stored) {
    Log *log = log_by_number(state, number);
    const char *seal_name = psprintf("seal " INT64_FORMAT, seal);
    state->leaves_in_seal += count;
    if (log == nullptr) {
        if (number != state->last_log)
            finding(state, kLogs, seal_name,
                    psprintf("it covers log %d, which does not exist", number));
        return;
    }
    if (number != state->last_log) state->last_seq = 0;
    if (!log->checked) return;
    if (!log->broken && static_cast<int64>(log->frontier.size) != first_leaf) {
        finding(state, kLogs, name_of(log),
                psprintf("leaf " INT64_FORMAT " is followed by leaf " INT64_FORMAT
                         " in seal " INT64_FORMAT ": leaves are missing or repeated",
                         static_cast<int64>(log->frontier.size) - 1, first_leaf, seal));
        log->broken = true;
    }
    if (seal <= state->start.seal) {  // counted, and believed as far as its heads are
        log->frontier.size = static_cast<uint64_t>(first_leaf + count);
        return;
    }
    core::Digest *leaves =
        static_cast<core::Digest *>(palloc(sizeof(core::Digest) * Max(count, 1)));
    for (int i = 0; i < count; i++) {
        int64 seq = seqs[i];
        verify_window::Entry *entry;
        const char *fault = nullptr;
        verify_window::Found found = verify_window::find(state->window, seq, &entry);
        bool may_be_gone = first_leaf + i < log->cut && stored.size == sizeof(core::Digest) * count;
        if (may_be_gone &&
            (found == verify_window::Found::missing || found == verify_window::Found::gone)) {
            memcpy(leaves[i].bytes, stored.data + sizeof(core::Digest) * i, sizeof(core::Digest));
            log->hollow.count++;
            log->hollow.end = first_leaf + i + 1;
            continue;
        }
        switch (found) {
            case verify_window::Found::missing:
                fault = "it is sealed and missing: it was deleted";
                break;
            case verify_window::Found::used_before:
            case verify_window::Found::gone:
                fault = "two leaves name it";
                break;
            case verify_window::Found::entry:
                if (entry->log != number)
                    fault = "its tenant has another log";
                else if (entry->fault != verify_scan::kFaultNone)
                    finding(state, kEntries, psprintf("entry seq " INT64_FORMAT, seq),
                            psprintf("leaf " INT64_FORMAT " of %s, seal " INT64_FORMAT ": %s",
                                     first_leaf + i, name_of(log), seal,
                                     verify_window::fault_text(entry->fault)));
                leaves[i] = entry->leaf;
                break;
        }
        if (seq <= state->last_seq && fault == nullptr) fault = "it is out of order";
        state->last_seq = seq;
        if (fault != nullptr) {
            finding(state, kEntries, psprintf("entry seq " INT64_FORMAT, seq),
                    psprintf("leaf " INT64_FORMAT " of %s, seal " INT64_FORMAT ": %s",
                             first_leaf + i, name_of(log), seal, fault));
            log->broken = true;
        }
    }
    for (int i = 0; !log->broken && log->cut > 0 && i < count; i++)
        verify_cut::at_leaf(&state->cuts, for_cuts(log), first_leaf + i, seqs[i], leaves[i]);
    if (stored.size != sizeof(core::Digest) * count ||
        (!log->broken && memcmp(stored.data, leaves, stored.size) != 0))
        finding(state, kTrees, name_of(log),
                psprintf("row from leaf " INT64_FORMAT " in seal " INT64_FORMAT
                         " has leaf hashes that are not those of its entries",
                         first_leaf, seal));
    state->report.items[kTrees]++;
    for (int i = 0; !log->broken && i < count; i++)
        verify_tree::append(&state->trees, number, &log->frontier, leaves[i]);
    pfree(leaves);
}

// The last row of a log in a seal: compares the root, and appends the head to the root log.
void close_log(State *state, int64 seal, int32 number, int64 size, const core::Digest &stored) {
    Log *log = log_by_number(state, number);
    if (log == nullptr) return;
    if (seal <= state->start.seal) {
        log->start = size;
        log->start_root = stored;
    } else if (log->checked && !log->broken) {
        core::Digest root;
        pg::raise(pg::run([&] { root = log->frontier.root(); }));
        if (!same(root, stored)) {
            finding(state, kLogs, name_of(log),
                    psprintf(
                        "its root at size " INT64_FORMAT " in seal " INT64_FORMAT
                        " is not what its entries hash to: an entry was changed, inserted or moved",
                        size, seal));
            log->broken = true;
        } else if (log->cut > 0) {
            verify_cut::at_head(&state->cuts, for_cuts(log), seal, log->frontier);
        }
    }
    core::Digest head;
    pg::raise(pg::run([&] {
        head = core::head_leaf({log->id, sizeof log->id}, static_cast<uint64_t>(size), stored);
    }));
    verify_tree::append(&state->trees, tree::kRootLog, &state->root_log, head);
    verify_checkpoint::at_head(&state->checkpoints, state->root_log);
    // What aegis.tenant_log must say in the end.
    if (!log->checked || log->broken) {
        log->frontier.size = static_cast<uint64_t>(size);
        log->frontier.count = 0;
    }
}

int64 expected_entries(const State *state) {
    int64 sum = 0;
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, state->logs);
    while (void *item = hash_seq_search(&status)) {
        const Log *log = static_cast<Log *>(item);
        if (log->checked) sum += Max(log->size - Max(log->cut, log->start), 0);
    }
    return sum;
}

// The logs go on from what they had at the seal: hashes that were kept for proofs lead there, and
// are believed because they have the root that the log's head says, which the checkpoint covers.
void start_here(State *state) {
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, state->logs);
    while (void *item = hash_seq_search(&status)) {
        Log *log = static_cast<Log *>(item);
        if (!log->checked || log->start == 0) continue;
        if (log->cut > 0) verify_cut::pass_over(&state->cuts, for_cuts(log), log->start);
        if (log->broken) continue;
        core::Frontier frontier;
        core::Digest root{};
        if (tree::find_frontier(log->number, static_cast<uint64>(log->start), &frontier))
            pg::raise(pg::run([&] { root = frontier.root(); }));
        if (same(root, log->start_root)) {
            log->frontier = frontier;
            continue;
        }
        finding(state, kTrees, name_of(log),
                psprintf("the hashes of its first " INT64_FORMAT
                         " leaves do not lead to its root in seal " INT64_FORMAT,
                         log->start, state->start.seal));
        log->broken = true;
    }
    verify_progress::expect(expected_entries(state));
}

void check_seal(State *state, const SealRow &row) {
    const char *name = psprintf("seal " INT64_FORMAT, row.number);
    state->report.items[kSeals]++;
    if (row.number != state->newest.number + 1)
        finding(state, kSeals, name,
                psprintf("it follows seal " INT64_FORMAT ": seals between them are missing",
                         state->newest.number));
    core::SealFields fields;
    core::Digest hash{};
    pg::Report report = pg::run([&] {
        hash = core::seal_hash(row.body);
        fields = core::decode_seal(row.body);
    });
    if (report.failed) {
        finding(state, kSeals, name, "its body is not a seal");
    } else {
        const char *snapshot = DatumGetCString(DirectFunctionCall1(pg_snapshot_out, row.snapshot));
        if (!same(hash, row.hash)) finding(state, kSeals, name, "its body does not have its hash");
        if (!row.complete || fields.number != static_cast<uint64_t>(row.number) ||
            fields.epoch != static_cast<uint64_t>(row.epoch) ||
            fields.entries != static_cast<uint64_t>(row.entries) || !same(fields.root, row.root) ||
            !same(fields.previous, row.previous) ||
            fields.root_size != static_cast<uint64_t>(row.root_size) ||
            fields.snapshot != snapshot || fields.wal_position != row.wal ||
            fields.unix_micros != ledger::unix_micros(row.sealed_at))
            finding(state, kSeals, name, "its columns say something else than its body");
        if (!same(fields.previous, state->newest.hash))
            finding(state, kSeals, name, "it does not follow the hash of the seal before it");
        if (static_cast<int64>(fields.entries) != state->leaves_in_seal)
            finding(state, kSeals, name,
                    psprintf("it covers " UINT64_FORMAT " entries, but " INT64_FORMAT
                             " leaves belong to it",
                             fields.entries, state->leaves_in_seal));
        core::Digest root;
        pg::raise(pg::run([&] { root = state->root_log.root(); }));
        state->report.items[kRootLog] = static_cast<int64>(state->root_log.size);
        if (state->root_log.size != fields.root_size || !same(root, fields.root)) {
            finding(state, kRootLog, name, "its root is not what the heads of the logs hash to");
            // Go on from what this seal stored, so that one fault is one finding.
            core::Frontier stored;
            pg::Report damaged =
                pg::run([&] { stored = core::decode_frontier(row.root_frontier); });
            if (!damaged.failed) state->root_log = stored;
            state->root_log_broken = true;
        } else if (!is_stored(state->root_log, row.root_frontier)) {
            finding(state, kRootLog, name, "its frontier is not that of its root");
        }
    }
    state->newest.number = row.number;
    state->newest.hash = hash;
    state->newest.fields = fields;
    MemoryContext caller = MemoryContextSwitchTo(state->memory);
    if (state->newest_snapshot != 0) pfree(DatumGetPointer(state->newest_snapshot));
    state->newest_snapshot = datumCopy(row.snapshot, false, -1);
    MemoryContextSwitchTo(caller);
    state->leaves_in_seal = 0;
    state->last_log = 0;
    verify_checkpoint::at_seal(&state->checkpoints, row.number, state->root_log);
    if (row.number == state->start.seal) start_here(state);
}

// Leaves and seals side by side, in the order of seals.
void walk(State *state) {
    // The hashes lie out of line: those that nobody compares are not fetched.
    Cursor leaves = open_cursor(
        psprintf("SELECT seal, log, coalesce(first_leaf, -1), coalesce(seqs, '{}'), root, "
                 "last_seq, CASE WHEN "
                 "seal > " INT64_FORMAT " THEN coalesce(leaves, '') ELSE '' END"
                 " FROM aegis.seal_leaves ORDER BY seal, log, first_leaf",
                 state->start.seal));
    Cursor seals = open_cursor(kSealQuery);
    int64 reported = 0;
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "aegis verification", ALLOCSET_DEFAULT_SIZES);
    state->memory = CurrentMemoryContext;
    for (;;) {
        MemoryContextSwitchTo(state->memory);
        MemoryContextReset(scratch);
        HeapTuple tuple = peek(&leaves);
        MemoryContextSwitchTo(scratch);
        SealRow seal = read_seal(&seals);
        bool is_null;
        int64 of_seal = 0;
        if (tuple != nullptr)
            of_seal = DatumGetInt64(SPI_getbinval(tuple, leaves.rows->tupdesc, 1, &is_null));
        if (tuple == nullptr || (seal.valid && of_seal > seal.number)) {
            if (!seal.valid) break;
            check_seal(state, seal);
            seals.at++;
            continue;
        }
        if ((!seal.valid || of_seal < seal.number) && of_seal != reported) {
            finding(state, kSeals, psprintf("seal " INT64_FORMAT, of_seal),
                    "it is missing, but leaves belong to it");
            reported = of_seal;
        }
        TupleDesc shape = leaves.rows->tupdesc;
        int32 log = DatumGetInt32(SPI_getbinval(tuple, shape, 2, &is_null));
        int64 first_leaf = DatumGetInt64(SPI_getbinval(tuple, shape, 3, &is_null));
        int count;
        const int64 *seqs = numbers_of(SPI_getbinval(tuple, shape, 4, &is_null), &count);
        core::ByteView hashes = pg::varlena_view(SPI_getbinval(tuple, shape, 7, &is_null));
        walk_leaves(state, of_seal, log, first_leaf, seqs, count, hashes);
        int64 last_seq = DatumGetInt64(SPI_getbinval(tuple, shape, 6, &is_null));
        const Log *known = log_by_number(state, log);
        bool is_checked = known == nullptr || known->checked;
        if (is_checked && (count == 0 || last_seq != seqs[count - 1]))
            finding(state, kLogs, name_of(known),
                    psprintf("row from leaf " INT64_FORMAT " in seal " INT64_FORMAT
                             " does not end with the entry that it says",
                             first_leaf, of_seal));
        state->last_log = log;
        core::Digest root;
        Datum stored = SPI_getbinval(tuple, shape, 5, &is_null);
        if (copy_digest(stored, is_null, &root))
            close_log(state, of_seal, log, first_leaf + count, root);
        leaves.at++;
        if (!seal.valid || of_seal < seal.number) state->leaves_in_seal = 0;
    }
    MemoryContextSwitchTo(state->memory);
    MemoryContextDelete(scratch);
}

// An entry that no leaf names is either too young or was smuggled in.
void visit_unused(void *pointer, int64 seq, const verify_window::Entry &entry) {
    State *state = static_cast<State *>(pointer);
    const char *name = psprintf("entry seq " INT64_FORMAT, seq);
    if (entry.fault != verify_scan::kFaultNone)
        finding(state, kEntries, name,
                psprintf("not sealed: %s", verify_window::fault_text(entry.fault)));
    if (is_due(state, entry.epoch, entry.xid))
        finding(state, kEntries, name,
                psprintf(
                    "no leaf names it, although its transaction had ended before seal " INT64_FORMAT
                    ": it was inserted later, or its leaf was removed",
                    state->newest.number));
    else
        state->unsealed++;
}

verify_tree::Known known(void *pointer, int32 number) {
    State *state = static_cast<State *>(pointer);
    if (number == tree::kRootLog)
        return state->root_log_broken ? verify_tree::Known::part : verify_tree::Known::whole;
    const Log *log = log_by_number(state, number);
    // Who asks for one tenant learns nothing about the other logs, not even whether there are any.
    if (log == nullptr)
        return state->only != nullptr ? verify_tree::Known::nothing
                                      : verify_tree::Known::no_such_log;
    if (!log->checked) return verify_tree::Known::nothing;
    return log->broken ? verify_tree::Known::part : verify_tree::Known::whole;
}

// The root log is rebuilt from its first leaf always.
int64 start_of(void *pointer, int32 number) {
    const Log *log = log_by_number(static_cast<State *>(pointer), number);
    return log != nullptr ? log->start : 0;
}

const char *name_of_number(void *pointer, int32 number) {
    if (number == tree::kRootLog) return "the root log";
    return name_of(log_by_number(static_cast<State *>(pointer), number));
}

HTAB *make_table(const char *name, Size key, Size entry) {
    HASHCTL control = {};
    control.keysize = key;
    control.entrysize = entry;
    control.hcxt = CurrentMemoryContext;
    return hash_create(name, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void verify(State *state) {
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    state->logs = make_table("aegis logs", sizeof(int32), sizeof(Log));
    // One snapshot for everything: the sealer goes on meanwhile.
    PushActiveSnapshot(GetTransactionSnapshot());
    state->cuts.report = &state->report;
    verify_cut::read(&state->cuts);
    read_logs(state);
    state->checkpoints.report = &state->report;
    verify_checkpoint::open(&state->checkpoints, state->kept, state->since);
    const verify_checkpoint::Checkpoint *start = verify_checkpoint::start(&state->checkpoints);
    if (start != nullptr) state->start = verify_start::find(start->size);
    state->trees.memory = CurrentMemoryContext;
    verify_progress::begin(state->only, expected_entries(state));
    state->window = verify_window::open(&state->start, state->tenants, {report_odd, state});
    verify_checkpoint::at_head(&state->checkpoints, state->root_log);
    walk(state);
    verify_progress::enter(verify_progress::kUnsealed);
    verify_window::visit_unused(state->window, visit_unused, state);
    verify_progress::enter(verify_progress::kTree);
    verify_tree::compare(&state->trees, {known, start_of, name_of_number, state}, &state->report);
    verify_progress::enter(verify_progress::kCheckpoints);
    verify_checkpoint::finish(&state->checkpoints, state->root_log);
    verify_progress::enter(verify_progress::kHeads);
    check_heads(state);
    summarise(state);
    PopActiveSnapshot();
    SPI_finish();
}

}  // namespace

}  // namespace aegis::verify

AEGIS_FUNCTION(aegis_verify_ledger) {
    using namespace aegis::verify;
    InitMaterializedSRF(fcinfo, 0);
    State *state = static_cast<State *>(palloc0(sizeof(State)));
    state->report.result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    state->only = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    state->kept = PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1));
    state->since = PG_ARGISNULL(2) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(2));
    PG_TRY();
    { verify(state); }
    PG_FINALLY();
    { aegis::verify_progress::end(); }
    PG_END_TRY();
    return static_cast<Datum>(0);
}

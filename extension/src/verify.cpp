// SPDX-License-Identifier: Apache-2.0
// Verifies the whole ledger in one snapshot: hashes every body, rebuilds every log from the entries
// that its leaves name, every head of the root log, and the chain of seals. It reads what is
// there and trusts nothing but the newest seal, which the last row of the result names.
#include "core/encoding.hpp"
#include "core/seal.hpp"

#include "charge.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "tree.hpp"
#include "verify_checkpoint.hpp"
#include "verify_cursor.hpp"
#include "verify_cut.hpp"
#include "verify_progress.hpp"
#include "verify_report.hpp"
#include "verify_tree.hpp"
#include "verify_window.hpp"

namespace aegis::verify {

namespace {

using verify_scan::LogKey;

struct Log {
    int32 number;  // hash key
    LogKey key;
    uint8_t id[core::kLogIdBytes];
    int64 size;  // as aegis.tenant_log says
    core::Digest root;
    core::ByteView stored;      // its frontier, as aegis.tenant_log says
    core::Frontier frontier;    // as rebuilt
    int64 cut;                  // leaves below may be without an entry
    verify_cut::Hollow hollow;  // those that are
    bool checked;               // belongs to the tenants that were asked for
    bool broken;                // reported; its later roots are taken as they are stored
};

struct Seal {
    core::SealFields fields;
    core::Digest hash;
    int64 number;
};

struct State {
    Report report;
    const pg_uuid_t *only;
    const char *kept;  // a checkpoint, or nullptr
    verify_tree::Expected trees;
    verify_checkpoint::State checkpoints;
    verify_cut::State cuts;
    HTAB *logs;
    verify_scan::Tenants *tenants;
    verify_window::Window *window;
    MemoryContext memory;
    int64 unsealed;
    // Walk over the leaves of one seal.
    int64 leaves_in_seal;
    int32 last_log;
    int64 last_seq;
    core::Frontier root_log;
    bool root_log_broken;  // reported; it goes on from what a seal stored
    Seal newest;
    Datum newest_snapshot;
};

void finding(State *state, Check check, const char *subject, const char *detail) {
    finding(&state->report, check, subject, detail);
}

const char *name_of(const Log *log) {
    if (log == nullptr) return "an unknown log";
    if (!log->key.has_tenant) return "the system's log";
    return psprintf("the log of tenant %s", DatumGetCString(DirectFunctionCall1(
                                                uuid_out, UUIDPGetDatum(&log->key.tenant))));
}

verify_cut::Log for_cuts(const Log *log) {
    return {log->number, name_of(log),
            log->key.has_tenant ? pg::view_of(log->key.tenant) : core::ByteView()};
}

Log *log_by_number(State *state, int32 number) {
    return static_cast<Log *>(hash_search(state->logs, &number, HASH_FIND, nullptr));
}

void report_odd(void *pointer, int64 seq, verify_window::Odd what) {
    finding(static_cast<State *>(pointer), kEntries, psprintf("entry seq " INT64_FORMAT, seq),
            what == verify_window::Odd::duplicate ? "there are two entries with this seq"
                                                  : "it is far from all others");
}

int compare_tenants(const void *a, const void *b) {
    return verify_scan::compare_keys(static_cast<const verify_scan::Tenant *>(a)->key,
                                     static_cast<const verify_scan::Tenant *>(b)->key);
}

// True when the stored frontier is the rebuilt one. The next seal goes on from it.
bool is_stored(const core::Frontier &frontier, core::ByteView stored) {
    size_t size = core::frontier_size(frontier);
    if (size != stored.size) return false;
    uint8_t *encoded = static_cast<uint8_t *>(palloc(size + 1));
    pg::raise(pg::run([&] { core::encode_frontier(frontier, {encoded, size}); }));
    return memcmp(encoded, stored.data, size) == 0;
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
    core::Digest *leaves =
        static_cast<core::Digest *>(palloc(sizeof(core::Digest) * Max(count, 1)));
    if (!log->broken && static_cast<int64>(log->frontier.size) != first_leaf) {
        finding(state, kLogs, name_of(log),
                psprintf("leaf " INT64_FORMAT " is followed by leaf " INT64_FORMAT
                         " in seal " INT64_FORMAT ": leaves are missing or repeated",
                         static_cast<int64>(log->frontier.size) - 1, first_leaf, seal));
        log->broken = true;
    }
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
    if (log->checked && !log->broken) {
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
        if (fields.number != static_cast<uint64_t>(row.number) ||
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
}

// Leaves and seals side by side, in the order of seals.
void walk(State *state) {
    Cursor leaves = open_cursor(
        "SELECT seal, log, first_leaf, coalesce(seqs, '{}'), root, "
        "last_seq, coalesce(leaves, '')"
        " FROM aegis.seal_leaves ORDER BY seal, log, first_leaf");
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

// True when the newest seal or one before it must cover a transaction.
bool is_due(void *pointer, int32 its_epoch, uint64 xid) {
    const State *state = static_cast<State *>(pointer);
    if (state->newest.number == 0) return false;
    int32 epoch = static_cast<int32>(state->newest.fields.epoch);
    if (its_epoch != epoch) return its_epoch < epoch;
    return DatumGetBool(
        DirectFunctionCall2(pg_visible_in_snapshot, UInt64GetDatum(xid), state->newest_snapshot));
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

void check_heads(State *state) {
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, state->logs);
    while (void *item = hash_seq_search(&status)) {
        Log *log = static_cast<Log *>(item);
        if (!log->checked) continue;
        state->report.items[kHeads]++;
        bool wrong = static_cast<int64>(log->frontier.size) != log->size;
        if (!wrong && !log->broken) {
            core::Digest root;
            pg::raise(pg::run([&] { root = log->frontier.root(); }));
            wrong = !same(root, log->root) || !is_stored(log->frontier, log->stored);
        }
        if (log->cut > 0)
            verify_cut::finish(&state->cuts, for_cuts(log), is_due, state, log->hollow,
                               !log->broken);
        if (wrong)
            finding(
                state, kHeads, name_of(log),
                psprintf("its head says size " INT64_FORMAT ", its seals lead to size " INT64_FORMAT
                         " or another root: seals were removed at the end, or the head was changed",
                         log->size, static_cast<int64>(log->frontier.size)));
    }
}

// Whoever looked may not want to tell, and may roll back: the ledger says it of itself.
void note_findings(const State *state) {
    int64_t findings = 0;
    for (int64_t of_check : state->report.findings) findings += of_check;
    if (findings == 0) return;
    charge::Order order = {};
    order.kind = charge::Kind::finding;
    order.event = "ledger.finding";
    order.target = psprintf("seal " INT64_FORMAT, state->newest.number);
    order.detail = psprintf(INT64_FORMAT " findings", findings);
    if (state->only != nullptr) order.tenant = *state->only;
    charge::note(order);
}

void summarise(State *state) {
    const char *subject = state->only != nullptr ? "one tenant" : "all tenants";
    state->report.items[kEntries] = verify_window::entries_read(state->window);
    summarise(&state->report, subject);
    note_findings(state);
    put(&state->report, "unsealed", subject, "ok", state->unsealed,
        "entries that are not sealed yet, hence not proven");
    if (state->newest.number == 0) {
        put(&state->report, "checked against", "nothing", "ok", -1, "there is no seal yet");
        return;
    }
    char root[2 * core::kDigestBytes + 1] = {}, hash[2 * core::kDigestBytes + 1] = {};
    core::to_hex(state->newest.fields.root.view(), root);
    core::to_hex(state->newest.hash.view(), hash);
    put(&state->report, "checked against", psprintf("seal " INT64_FORMAT, state->newest.number),
        "ok", -1,
        psprintf("root %s, hash %s, %s", root, hash,
                 verify_checkpoint::standing(&state->checkpoints)));
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

const char *name_of_number(void *pointer, int32 number) {
    if (number == tree::kRootLog) return "the root log";
    return name_of(log_by_number(static_cast<State *>(pointer), number));
}

int64 expected_entries(const State *state) {
    int64 sum = 0;
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, state->logs);
    while (void *item = hash_seq_search(&status)) {
        const Log *log = static_cast<Log *>(item);
        if (log->checked && log->size > log->cut) sum += log->size - log->cut;
    }
    return sum;
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
    state->trees.memory = CurrentMemoryContext;
    verify_progress::begin(state->only, expected_entries(state));
    state->window = verify_window::open(state->tenants, {report_odd, state});
    state->checkpoints.report = &state->report;
    verify_checkpoint::open(&state->checkpoints, state->kept);
    verify_checkpoint::at_head(&state->checkpoints, state->root_log);
    walk(state);
    verify_progress::enter(verify_progress::kUnsealed);
    verify_window::visit_unused(state->window, visit_unused, state);
    verify_progress::enter(verify_progress::kTree);
    verify_tree::compare(&state->trees, {known, name_of_number, state}, &state->report);
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
    PG_TRY();
    { verify(state); }
    PG_FINALLY();
    { aegis::verify_progress::end(); }
    PG_END_TRY();
    return static_cast<Datum>(0);
}

// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"

#include "verify_state.hpp"

#include "charge.hpp"
#include "pg/function.hpp"

namespace aegis::verify {

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

bool is_stored(const core::Frontier &frontier, core::ByteView stored) {
    size_t size = core::frontier_size(frontier);
    if (size != stored.size) return false;
    uint8_t *encoded = static_cast<uint8_t *>(palloc(size + 1));
    pg::raise(pg::run([&] { core::encode_frontier(frontier, {encoded, size}); }));
    return memcmp(encoded, stored.data, size) == 0;
}

bool is_due(void *pointer, int32 its_epoch, uint64 xid) {
    const State *state = static_cast<State *>(pointer);
    if (state->newest.number == 0) return false;
    int32 epoch = static_cast<int32>(state->newest.fields.epoch);
    if (its_epoch != epoch) return its_epoch < epoch;
    return DatumGetBool(
        DirectFunctionCall2(pg_visible_in_snapshot, UInt64GetDatum(xid), state->newest_snapshot));
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

namespace {

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

// What was not read, and on whose word.
void tell_start(State *state) {
    if (state->since == nullptr) return;
    const verify_checkpoint::Checkpoint *start = verify_checkpoint::start(&state->checkpoints);
    if (state->start.seal == 0)
        put(&state->report, "checked from", "the beginning", "ok", -1,
            start == nullptr ? "the checkpoint to start from is not to be believed"
                             : "no seal has as many heads as the checkpoint to start from");
    else
        put(&state->report, "checked from", psprintf("seal " INT64_FORMAT, state->start.seal), "ok",
            -1,
            psprintf("entries that the checkpoint of size " UINT64_FORMAT
                     " of log \"%s\" covers were not read",
                     start->size, start->origin));
}

}  // namespace

void summarise(State *state) {
    const char *subject = state->only != nullptr ? "one tenant" : "all tenants";
    state->report.items[kEntries] = verify_window::entries_read(state->window);
    summarise(&state->report, subject);
    note_findings(state);
    tell_start(state);
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

}  // namespace aegis::verify

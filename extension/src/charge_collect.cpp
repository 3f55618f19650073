// SPDX-License-Identifier: Apache-2.0
// The other side of a charge: what happens to slots whose transaction did not write its entry. The
// worker writes it; after a crash it is decided first which transactions had committed after all.
#include "charge.hpp"
#include "ledger.hpp"
#include "region.hpp"
#include "user.hpp"
#include "worker.hpp"

namespace aegis::charge {

namespace {

// Entries in one transaction of the worker: one flush for all of them.
constexpr int kBatch = 64;
// What the entry says about it, by Left.
const char *const kNotes[] = {"transaction rolled back", "transaction left it to the worker",
                              "backend lost in a crash"};
constexpr uint32_t kTriesWithOrigin = 4;
constexpr int64_t kFirstPauseMicros = 250000;
constexpr int64_t kLongestPauseMicros = 30 * 1000000;

// After a failure slots are written one by one, so that one bad slot does not hold up the others.
int batch = kBatch;
int scan_from = 0;  // the slot that is looked at first
int taken_slots[kBatch];
int taken_count = 0;

int used() {
    Table *table = detail::table();
    return table != nullptr ? static_cast<int>(table->high_water.load()) : 0;
}

// Transactions of before the crash only: see judge().
bool committed(uint64_t xid) {
    uint64_t next = U64FromFullTransactionId(ReadNextFullTransactionId());
    // Never logged, so recovery does not know it; or too old to ask, which cannot happen in a run.
    if (xid >= next || next - xid > (UINT64CONST(1) << 30)) return false;
    return TransactionIdDidCommit(XidFromFullTransactionId(FullTransactionIdFromU64(xid)));
}

void judge_slot(Slot &slot) {
    uint64_t expected = kUnjudged;
    State verdict = committed(slot.settled_xid.load()) ? kFree : kOrphan;
    slot.state.compare_exchange_strong(expected, verdict);
}

// A process that ended without any callback: not seen in PostgreSQL, but a slot must not depend on
// it.
void reap(Slot &slot) {
    uint64_t packed = slot.state.load();
    State state = state_of(packed);
    if ((state != kFilling && state != kOpen && state != kWriting) || pid_of(packed) == MyProcPid ||
        BackendPidGetProc(pid_of(packed)) != nullptr)
        return;
    if (state == kFilling)
        slot.state.compare_exchange_strong(packed, kFree);
    else if (slot.state.compare_exchange_strong(packed, kUnjudged)) {
        slot.left = Left::lost;
        judge_slot(slot);
    }
}

}  // namespace

namespace detail {

void judge() {
    Table *table = detail::table();
    int high = used();
    for (int i = 0; i < high; i++)
        if (table->slots[i].state.load() == kUnjudged) judge_slot(table->slots[i]);
    table->unjudged.store(0);
}

void written(bool committed) {
    Table *table = detail::table();
    // The last one taken is the one that failed. Those behind it come before it is tried again: one
    // that can never be written must not keep them waiting.
    if (!committed && taken_count > 0) scan_from = taken_slots[taken_count - 1] + 1;
    if (committed)
        batch = Min(2 * batch, kBatch);
    else if (batch > 1)
        batch = 1;
    else
        for (int i = 0; i < taken_count; i++) {
            Slot &slot = table->slots[taken_slots[i]];
            int64_t pause = kFirstPauseMicros << Min(slot.failures, 10u);
            slot.failures++;
            slot.not_before_micros = worker::now_micros() + Min(pause, kLongestPauseMicros);
        }
    taken_count = 0;
}

void write_entry(const Slot &slot, uint64_t count, const char *note) {
    static const pg_uuid_t nil = {};
    static uint8_t bytes[1024];
    // Keys in the order of their encoding: shorter first.
    ledger::DetailPair pairs[4];
    int used_pairs = 0;
    if (note != nullptr) pairs[used_pairs++] = {"note", note, 0};
    if (slot.detail[0] != '\0') pairs[used_pairs++] = {"detail", slot.detail, 0};
    if (slot.kind == Kind::reveal)
        pairs[used_pairs++] = {"values", nullptr, static_cast<int64_t>(count)};
    else if (slot.kind == Kind::request && slot.status != 0)
        pairs[used_pairs++] = {"status", nullptr, slot.status};
    else if (count > 1)
        pairs[used_pairs++] = {"times", nullptr, static_cast<int64_t>(count)};

    ledger::Event event = {};
    event.type = slot.event;
    if (slot.kind == Kind::sign_in || slot.kind == Kind::finding)
        event.outcome = core::Outcome::failure;
    else if (slot.kind == Kind::denial)
        event.outcome = core::Outcome::denied;
    else if (slot.kind == Kind::request || slot.kind == Kind::reading)
        event.outcome = slot.outcome;
    // Whose log tells of a reveal is decided when it is counted; nil is the system's.
    if (slot.kind == Kind::reveal || memcmp(&slot.tenant, &nil, sizeof nil) != 0)
        event.tenant = &slot.tenant;
    if (memcmp(&slot.user, &nil, sizeof nil) != 0) event.user = &slot.user;
    if (memcmp(&slot.session, &nil, sizeof nil) != 0) event.session = &slot.session;
    if (slot.target[0] != '\0') {
        static const char *const kinds[] = {"",       "user",    "field", "object", "tenant",
                                            "ledger", "service", "table", "route",  ""};
        event.target_kind =
            slot.target_kind[0] != '\0' ? slot.target_kind : kinds[static_cast<int>(slot.kind)];
        event.target_id = slot.target;
    }
    if (used_pairs > 0)
        event.detail = ledger::encode_detail(pairs, used_pairs, core::ByteSpan(bytes));
    event.ip = slot.ip[0] != '\0' ? slot.ip : nullptr;
    event.user_agent = slot.user_agent[0] != '\0' ? slot.user_agent : nullptr;
    event.request_id = slot.request_id[0] != '\0' ? slot.request_id : nullptr;
    event.session_user = slot.session_user;
    event.of_another = note != nullptr;  // the worker writes it
    event.unix_micros = slot.unix_micros;
    ledger::append(event);
}

}  // namespace detail

int collect() {
    Table *table = detail::table();
    if (table->unjudged.load() != 0) detail::judge();
    int64_t now = worker::now_micros();
    int high = used();
    taken_count = 0;
    for (int n = 0; n < high && taken_count < batch; n++) {
        int i = (scan_from + n) % high;
        Slot &slot = table->slots[i];
        if (slot.database != MyDatabaseId || slot.state.load() == kFree) continue;
        reap(slot);
        if (slot.state.load() != kOrphan || slot.not_before_micros > now || !detail::take(i))
            continue;
        taken_slots[taken_count++] = i;
        // The tenant's key may be gone for good, and with it the seal over the address.
        if (slot.failures >= kTriesWithOrigin) slot.ip[0] = slot.user_agent[0] = '\0';
        detail::write_entry(slot, slot.count.load(), kNotes[static_cast<int>(slot.left)]);
        if (slot.kind == Kind::sign_in) user::note_abandoned(slot.user);
        settle(i);
        worker::beat();
        CHECK_FOR_INTERRUPTS();
    }
    if (taken_count == batch) SetLatch(MyLatch);  // there may be more
    return taken_count;
}

void forget(Oid database) {
    Table *table = detail::table();
    int high = used(), lost = 0;
    for (int i = 0; i < high; i++) {
        Slot &slot = table->slots[i];
        uint64_t expected = kOrphan;
        if (slot.database == database && slot.state.load() == kOrphan &&
            slot.state.compare_exchange_strong(expected, kFree))
            lost++;
    }
    if (lost > 0)
        ereport(LOG,
                (errmsg("%d charges of database %u are gone with its ledger", lost, database)));
}

void survive_restart() {
    Table *table = detail::table();
    int high = used();
    bool unjudged = false;
    for (int i = 0; i < high; i++) {
        Slot &slot = table->slots[i];
        switch (state_of(slot.state.load())) {
            case kFilling:
                slot.state.store(kFree);
                break;
            case kOpen:
                slot.left = Left::lost;
                [[fallthrough]];
            case kWriting:
                slot.state.store(slot.settled_xid.load() != 0 ? kUnjudged : kOrphan);
                break;
            default:
                break;
        }
        unjudged = unjudged || slot.state.load() == kUnjudged;
        slot.not_before_micros = 0;
    }
    table->unjudged.store(unjudged ? 1 : 0);
}

Usage usage() {
    Table *table = detail::table();
    Usage result = {};
    int high = used();
    for (int i = 0; i < high; i++) {
        Slot &slot = table->slots[i];
        State state = state_of(slot.state.load());
        if (slot.database != MyDatabaseId || state == kFree) continue;
        if (state == kFilling || state == kOpen)
            result.open++;
        else
            result.waiting++;
    }
    if (table != nullptr) result.refused = table->full.load();
    return result;
}

}  // namespace aegis::charge

// SPDX-License-Identifier: Apache-2.0
// The holder's side of a charge: taking a slot, counting, settling, and letting go of it however
// the transaction ends.
#include "charge.hpp"

#include "context.hpp"
#include "field.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "pg/report.hpp"
#include "region.hpp"
#include "worker.hpp"

namespace aegis::charge {

namespace {

// More than any transaction's fields and other charges.
constexpr int kMostHeld = 512;

struct Held {
    int slot;
    bool taken;  // by the worker, from another's transaction
    bool settled;
    SubTransactionId settled_in;  // whose rollback takes the entry back
};

Held held[kMostHeld];
int held_count = 0;

struct KnownOrigin {
    bool set;
    char ip[sizeof Slot::ip];
    char user_agent[sizeof Slot::user_agent];
    char request_id[sizeof Slot::request_id];
} known_origin;

struct Borrowed {  // the leader's slots that this parallel worker adds to
    int slot;
    uint32_t field;
    pg_uuid_t tenant;
};
Borrowed borrowed[16];
int borrowed_count = 0;

bool same(const pg_uuid_t &a, const pg_uuid_t &b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

// Copies as much as fits without cutting a character in two.
void copy_text(char *out, size_t room, const char *in) {
    if (in == nullptr) in = "";
    size_t length = pg_mbcliplen(in, static_cast<int>(strlen(in)), static_cast<int>(room) - 1);
    memcpy(out, in, length);
    out[length] = '\0';
}

int64_t unix_micros_now() {
    return GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

// The process that answers for the charge: in a parallel query the leader, whose transaction it is.
const PGPROC *holder() {
    return IsParallelWorker() && MyProc->lockGroupLeader != nullptr ? MyProc->lockGroupLeader
                                                                    : MyProc;
}

void fill(Slot &slot, const Order &order, const char *session_user) {
    slot.settled_xid.store(0);
    slot.count.store(0);
    slot.kind = order.kind;
    slot.left = Left::rolled_back;
    slot.failures = 0;
    slot.not_before_micros = 0;
    slot.database = MyDatabaseId;
    slot.field = order.field;
    slot.outcome = order.outcome;
    slot.status = order.status;
    slot.unix_micros = unix_micros_now();
    slot.tenant = order.tenant;
    slot.user = order.user;
    memset(&slot.session, 0, sizeof slot.session);
    copy_text(slot.event, sizeof slot.event, order.event);
    copy_text(slot.target_kind, sizeof slot.target_kind, order.target_kind);
    copy_text(slot.target, sizeof slot.target, order.target);
    copy_text(slot.detail, sizeof slot.detail, order.detail);
    copy_text(slot.session_user, sizeof slot.session_user, session_user);
    const context::Context *context = context::current();
    if (context != nullptr) slot.session = context->session;
    // The request that is being authenticated describes itself better than an older context.
    bool from_context = context != nullptr && !known_origin.set;
    copy_text(slot.ip, sizeof slot.ip, from_context ? context->ip : known_origin.ip);
    copy_text(slot.user_agent, sizeof slot.user_agent,
              from_context ? context->user_agent : known_origin.user_agent);
    copy_text(slot.request_id, sizeof slot.request_id,
              from_context ? context->request_id : known_origin.request_id);
}

// A free slot, now being filled for `pid`; -1 when there is none. Low numbers first keep the used
// part of the table short for those who scan it.
int find_free(Table &table, int32_t pid) {
    for (int i = 0; i < kSlots; i++) {
        uint64_t expected = kFree;
        if (table.slots[i].state.load(std::memory_order_relaxed) == kFree &&
            table.slots[i].state.compare_exchange_strong(expected, pack(kFilling, pid))) {
            uint32_t high = table.high_water.load();
            while (high < static_cast<uint32_t>(i) + 1 &&
                   !table.high_water.compare_exchange_weak(high, i + 1)) {
            }
            return i;
        }
    }
    return -1;
}

// Slots that parallel workers opened for this leader.
void adopt() {
    Table *table = detail::table();
    int number = MyProc->pgprocno;
    // Looked at first: to write it at every commit would take its cache line from 63 neighbours.
    if (number < kLeaders && (table->adopted[number].load(std::memory_order_relaxed) == 0 ||
                              table->adopted[number].exchange(0) == 0))
        return;
    int high = static_cast<int>(table->high_water.load());
    for (int i = 0; i < high; i++) {
        if (table->slots[i].state.load() != pack(kOpen, MyProcPid)) continue;
        bool known = false;
        for (int j = 0; j < held_count; j++) known = known || held[j].slot == i;
        // Beyond the array the slot is found by collect() once this process is gone.
        if (!known && held_count < kMostHeld)
            held[held_count++] = {i, false, false, InvalidSubTransactionId};
    }
}

// One entry per tenant and field that was revealed.
void write_reveals() {
    Table *table = detail::table();
    for (int i = 0; i < held_count; i++) {
        Slot &slot = table->slots[held[i].slot];
        if (slot.kind != Kind::reveal || held[i].taken || held[i].settled) continue;
        uint64_t count = 0;
        for (int j = i; j < held_count; j++) {
            Slot &other = table->slots[held[j].slot];
            if (other.kind == Kind::reveal && !held[j].settled && other.field == slot.field &&
                same(other.tenant, slot.tenant))
                count += other.count.load();
        }
        detail::write_entry(slot, count, nullptr);
        for (int j = held_count - 1; j >= i; j--) {
            Slot &other = table->slots[held[j].slot];
            if (other.kind == Kind::reveal && !held[j].settled && other.field == slot.field &&
                same(other.tenant, slot.tenant))
                settle(held[j].slot);
        }
    }
}

void let_go(bool committed) {
    Table *table = detail::table();
    bool left = false, took = false;
    for (int i = 0; i < held_count; i++) {
        Slot &slot = table->slots[held[i].slot];
        took = took || held[i].taken;
        bool done = committed && held[i].settled;
        left = left || (!done && !held[i].taken);
        slot.settled_xid.store(0);
        if (!held[i].taken) slot.left = committed ? Left::committed : Left::rolled_back;
        slot.state.store(done ? kFree : kOrphan);
    }
    held_count = 0;
    known_origin.set = false;
    known_origin.ip[0] = known_origin.user_agent[0] = known_origin.request_id[0] = '\0';
    if (took) detail::written(committed);
    if (left) worker::wake();
}

void at_transaction_end(XactEvent event, void *) {
    Table *table = detail::table();
    if (table == nullptr || MyProc == nullptr) return;
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
            if (table->unjudged.load() != 0) detail::judge();
            adopt();
            if (held_count > 0) write_reveals();
            break;
        case XACT_EVENT_PRE_PREPARE:
            if (table->unjudged.load() != 0) detail::judge();
            adopt();
            if (held_count > 0)
                ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                                errmsg("cannot prepare a transaction that was charged"),
                                errdetail("It signed in, revealed a value, signed a request or "
                                          "took a context that is "
                                          "recorded."),
                                errhint("Use COMMIT.")));
            break;
        case XACT_EVENT_COMMIT:
            let_go(true);
            break;
        case XACT_EVENT_ABORT:
            adopt();
            let_go(false);
            break;
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT:
            borrowed_count = 0;
            break;
        default:
            break;
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
                           void *) {
    if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) return;
    for (int i = 0; i < held_count; i++) {
        if (!held[i].settled || held[i].settled_in != mine) continue;
        held[i].settled_in = parent;
        if (event == SUBXACT_EVENT_ABORT_SUB) {
            held[i].settled = false;
            detail::table()->slots[held[i].slot].settled_xid.store(0);
        }
    }
}

void refuse(const char *why, const char *hint) {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_CHARGED),
                    errmsg("operation cannot be charged, so it is refused"), errdetail("%s", why),
                    errhint("%s", hint)));
}

}  // namespace

namespace detail {

Table *table() {
    region::State *state = region::state();
    return state != nullptr ? &state->charges : nullptr;
}

bool take(int slot) {
    uint64_t expected = kOrphan;
    if (held_count == kMostHeld ||
        !table()->slots[slot].state.compare_exchange_strong(expected, pack(kWriting, MyProcPid)))
        return false;
    held[held_count++] = {slot, true, false, InvalidSubTransactionId};
    return true;
}

}  // namespace detail

int open(const Order &order) {
    Table *table = detail::table();
    if (table == nullptr)
        refuse("The library was not loaded at server start.",
               "Add \"aegis\" to shared_preload_libraries and restart.");
    if (guc::restore_mode)
        refuse("The server runs in restore mode and writes no ledger entries.",
               "Switch aegis.restore_mode off and restart the server when everything is restored.");
    if (RecoveryInProgress())
        refuse("The server is a standby, where nothing can be recorded.", "Ask the primary.");
    if (!worker::is_alive())
        refuse(
            "The aegis worker of this database does not run.",
            "It starts within seconds; if not, the server log tells why. It needs a free slot of "
            "max_worker_processes.");
    bool in_worker = IsParallelWorker();
    int others = 0;
    for (int i = 0; i < held_count; i++) others += table->slots[held[i].slot].kind != Kind::reveal;
    if (held_count == kMostHeld || (order.kind != Kind::reveal && others >= kPerTransaction))
        refuse("The transaction holds too many charges.", "Start a new transaction.");
    // All that may fail comes before the slot is taken.
    const char *session_user = GetUserNameFromId(GetSessionUserId(), true);
    const PGPROC *of = holder();

    int index = find_free(*table, of->pid);
    if (index < 0) {
        table->full.fetch_add(1);
        worker::wake();
        refuse("Too many operations wait to be recorded.",
               "Try again; aegis.worker_status() shows how many wait.");
    }
    Slot &slot = table->slots[index];
    fill(slot, order, session_user);
    if (!in_worker) held[held_count++] = {index, false, false, InvalidSubTransactionId};
    slot.state.store(pack(kOpen, of->pid));
    if (in_worker && of->pgprocno < kLeaders) table->adopted[of->pgprocno].store(1);
    return index;
}

namespace {

bool is_note_of(const Slot &slot, const Order &order, const char *session_user) {
    return slot.kind == order.kind && slot.database == MyDatabaseId &&
           strcmp(slot.event, order.event) == 0 && strcmp(slot.detail, order.detail) == 0 &&
           strncmp(slot.session_user, session_user, sizeof slot.session_user) == 0 &&
           same(slot.tenant, order.tenant) && same(slot.user, order.user);
}

// Counts one more on a note that waits; false when there is none, *waiting says how many others.
bool add_to_note(Table &table, const Order &order, const char *session_user, int *waiting) {
    int high = static_cast<int>(table.high_water.load());
    int64_t now = worker::now_micros();
    *waiting = 0;
    for (int i = 0; i < high; i++) {
        Slot &slot = table.slots[i];
        if (slot.state.load() != kOrphan || slot.not_before_micros <= now) continue;
        ++*waiting;
        if (!is_note_of(slot, order, session_user)) continue;
        uint64_t expected = kOrphan;
        if (!slot.state.compare_exchange_strong(expected, pack(kFilling, MyProcPid))) continue;
        // Looked at again: meanwhile it may have become another's.
        bool found = is_note_of(slot, order, session_user);
        if (found) slot.count.fetch_add(1);
        slot.state.store(kOrphan);
        if (found) return true;
    }
    return false;
}

}  // namespace

void note(const Order &order) {
    Table *table = detail::table();
    if (table == nullptr || guc::restore_mode || RecoveryInProgress() || !worker::is_alive())
        return;
    const char *session_user = GetUserNameFromId(GetSessionUserId(), true);
    if (session_user == nullptr) return;
    int waiting;
    if (add_to_note(*table, order, session_user, &waiting)) return;
    int index = waiting < kMostNotes ? find_free(*table, MyProcPid) : -1;
    if (index < 0) {
        table->full.fetch_add(1);
        return;
    }
    Slot &slot = table->slots[index];
    fill(slot, order, session_user);
    slot.count.store(1);
    slot.not_before_micros = worker::now_micros() + kNoteMicros;
    slot.state.store(kOrphan);
}

void note_refusal(const char *what, const char *target, bool withheld) {
    Order order = {};
    order.kind = Kind::denial;
    order.event = "access.refused";
    order.target = target != nullptr ? target : "";
    order.detail = what;
    const context::Context *context = context::current();
    if (context != nullptr) {
        if (!withheld) order.tenant = context->tenant;  // nil: the system's log
        order.user = context->user;
    }
    note(order);
}

void count_reveal(const pg_uuid_t &tenant, uint32_t field, uint64_t values, bool withheld) {
    Table *table = detail::table();
    int index = -1;
    // What is withheld from the log of a tenant stands in that of the system.
    static const pg_uuid_t nil = {};
    const field::Field *known = field::find(field);
    const pg_uuid_t &log = withheld || (known != nullptr && known->withheld) ? nil : tenant;
    if (IsParallelWorker()) {
        for (int i = 0; i < borrowed_count && index < 0; i++)
            if (borrowed[i].field == field && same(borrowed[i].tenant, log))
                index = borrowed[i].slot;
        int high = index < 0 && table != nullptr ? static_cast<int>(table->high_water.load()) : 0;
        for (int i = 0; i < high && index < 0; i++) {
            Slot &slot = table->slots[i];
            if (slot.state.load() == pack(kOpen, holder()->pid) && slot.kind == Kind::reveal &&
                slot.field == field && same(slot.tenant, log))
                index = i;
        }
    } else
        for (int i = 0; i < held_count && index < 0; i++) {
            Slot &slot = table->slots[held[i].slot];
            if (slot.kind == Kind::reveal && !held[i].taken && slot.field == field &&
                same(slot.tenant, log))
                index = held[i].slot;
        }
    if (index < 0) {
        const context::Context *context = context::current();
        char reference[16];
        snprintf(reference, sizeof reference, "%08x", field);
        Order order = {};
        order.kind = Kind::reveal;
        order.event = "pii.revealed";
        order.tenant = log;
        if (context != nullptr) order.user = context->user;
        order.field = field;
        order.target = field == kAuditMeta ? "audit_meta"
                       : known != nullptr  ? known->name
                                           : reference;
        index = open(order);
    }
    if (IsParallelWorker() && borrowed_count < static_cast<int>(lengthof(borrowed))) {
        bool noted = false;
        for (int i = 0; i < borrowed_count; i++) noted = noted || borrowed[i].slot == index;
        if (!noted) borrowed[borrowed_count++] = {index, field, log};
    }
    table->slots[index].count.fetch_add(values);
}

int count_reading(const Order &order) {
    Table *table = detail::table();
    for (int i = 0; i < held_count; i++) {
        Slot &slot = table->slots[held[i].slot];
        if (slot.kind != Kind::reading || strcmp(slot.event, order.event) != 0 ||
            !same(slot.tenant, order.tenant))
            continue;
        slot.count.fetch_add(1);
        return -1;
    }
    int slot = open(order);
    table->slots[slot].count.store(1);
    return slot;
}

void conclude(int slot, core::Outcome outcome, int status) {
    Slot &charged = detail::table()->slots[slot];
    charged.outcome = outcome;
    charged.status = status;
}

void settle_readings() {
    for (int i = 0; i < held_count; i++) {
        Slot &slot = detail::table()->slots[held[i].slot];
        if (slot.kind != Kind::reading) continue;
        slot.outcome = core::Outcome::failure;
        settle(held[i].slot);
    }
}

void settle(int slot) {
    for (int i = 0; i < held_count; i++) {
        if (held[i].slot != slot) continue;
        uint64_t xid = U64FromFullTransactionId(GetTopFullTransactionId());
        // A lost commit would take the entry with it and leave nobody to write it.
        ForceSyncCommit();
        held[i].settled_in = GetCurrentSubTransactionId();
        held[i].settled = true;
        detail::table()->slots[slot].settled_xid.store(xid);
        return;
    }
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("charge %d is not held by this transaction", slot)));
}

int pending_sign_ins(const pg_uuid_t &user, int except) {
    Table *table = detail::table();
    int count = 0;
    int high = table != nullptr ? static_cast<int>(table->high_water.load()) : 0;
    for (int i = 0; i < high; i++) {
        Slot &slot = table->slots[i];
        State state = state_of(slot.state.load());
        count += i != except && state != kFree && state != kFilling && slot.kind == Kind::sign_in &&
                 slot.database == MyDatabaseId && same(slot.user, user);
    }
    return count;
}

void set_origin(const char *ip, const char *user_agent, const char *request_id) {
    copy_text(known_origin.ip, sizeof known_origin.ip, ip);
    copy_text(known_origin.user_agent, sizeof known_origin.user_agent, user_agent);
    copy_text(known_origin.request_id, sizeof known_origin.request_id, request_id);
    known_origin.set = true;
}

Origin origin() {
    auto said = [](const char *text) { return text[0] != '\0' ? text : nullptr; };
    if (known_origin.set)
        return {said(known_origin.ip), said(known_origin.user_agent),
                said(known_origin.request_id)};
    const context::Context *context = context::current();
    if (context == nullptr) return {nullptr, nullptr, nullptr};
    return {said(context->ip), said(context->user_agent), said(context->request_id)};
}

void define() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace aegis::charge

// SPDX-License-Identifier: Apache-2.0
// What must survive a rollback is charged first: sign-in attempts, denials, reveals, break-glass,
// requests and readings that are an event.
// A charge is a slot in memory that no rollback reverts. The transaction that made it writes its
// own ledger entry and settles the charge at commit; what it did not write (abort, cancel, lost
// backend) the worker writes from the slot. docs/charge.md.
#pragma once

#include <atomic>

#include "core/entry.hpp"
#include "pg/postgres.hpp"

namespace aegis::charge {

enum class Kind : uint32_t {
    sign_in = 1,
    reveal = 2,
    denial = 3,
    break_glass = 4,
    finding = 5,
    signature = 6,
    unprotection = 7,
    request = 8,  // the event of a route that reads
    reading = 9,  // what its handler records
};

inline constexpr int kSlots = 4096;
inline constexpr size_t kDetailBytes = 256;
// A transaction may hold this many charges that are not reveals: nobody fills the table alone.
inline constexpr int kPerTransaction = 32;
// Leaders of parallel queries with a smaller process number are told when a worker charged them.
inline constexpr int kLeaders = 8192;

enum State : uint32_t {
    kFree = 0,
    kFilling = 1,   // being made by the holder
    kOpen = 2,      // the holder's transaction runs
    kOrphan = 3,    // the worker has to write it
    kWriting = 4,   // held by the worker's transaction
    kUnjudged = 5,  // the holder was lost in a crash while its transaction may have committed
};

// Why the worker writes a charge.
enum class Left : uint32_t { rolled_back = 0, committed = 1, lost = 2 };

struct Slot {  // plain data; every field but the atomic ones is written by the holder only
    std::atomic<uint64_t> state;  // State, and the holder's pid in the upper half
    std::atomic<uint64_t>
        settled_xid;              // when this transaction commits, the entry is written; 0 none
    std::atomic<uint64_t> count;  // reveals: values opened; noted: how often
    Kind kind;
    Left left;
    uint32_t failures;          // times the worker could not write it
    int64_t not_before_micros;  // the worker's next try, on worker::now_micros()'s clock
    Oid database;
    uint32_t field;  // reveals: field reference
    int64_t unix_micros;
    pg_uuid_t tenant, user, session;
    core::Outcome outcome;  // requests and readings
    int32_t status;         // requests: what was answered
    char event[64];         // ledger event type that the worker writes
    char target_kind[64];   // empty: that of the kind
    char target[128];
    char request_id[64];
    char ip[46];
    char user_agent[128];
    char session_user[NAMEDATALEN];
    char detail[kDetailBytes];  // short text for people; never a secret
};

inline constexpr uint64_t pack(State state, int32_t pid) {
    return static_cast<uint64_t>(static_cast<uint32_t>(pid)) << 32 | state;
}
inline constexpr State state_of(uint64_t packed) {
    return static_cast<State>(packed & 0xffffffff);
}
inline constexpr int32_t pid_of(uint64_t packed) {
    return static_cast<int32_t>(packed >> 32);
}

struct Table {
    Slot slots[kSlots];
    std::atomic<uint32_t> high_water;  // slots from here on were never used
    std::atomic<uint32_t> unjudged;    // 1 from a crash restart until the lost slots are judged
    std::atomic<uint64_t> full;        // times no slot was free
    std::atomic<uint8_t> adopted[kLeaders];  // 1: a parallel worker opened a slot for its leader
};

struct Order {  // what to charge; copied
    Kind kind;
    const char *event;
    pg_uuid_t tenant, user;
    uint32_t field;
    const char *target;
    const char *detail;
    // Of requests and readings.
    const char *target_kind = nullptr;  // nullptr: that of the kind
    core::Outcome outcome = core::Outcome::success;
    int32_t status = 0;
};

// Takes a slot, or ERROR AG007 when the region, the worker or a free slot is missing: then nothing
// may be verified, revealed or assumed. Origin, session and request id come from the context or
// from set_origin(). Returns the slot number.
int open(const Order &order);
// Has the worker write an entry about what is refused or found just now, whatever becomes of the
// transaction. It never fails: what is refused stays refused also when nobody can record it. The
// same of one login, tenant and user within kNoteMicros is one entry with a count, and no more than
// kMostNotes wait, so that nobody fills the table or the ledger by asking again.
void note(const Order &order);
inline constexpr int64_t kNoteMicros = 2 * 1000000;
inline constexpr int kMostNotes = 512;
// note() of a refusal by a wall or a guard, for the tenant and user of the context.
void note_refusal(const char *what, const char *target, bool withheld = false);
// Adds to the reveal charge of this transaction and field, opening it on first use. Works in a
// parallel worker, which adds to its leader's slot. The entry is written at commit.
// Where it is withheld, or its table is, the entry is the system's.
void count_reveal(const pg_uuid_t &tenant, uint32_t field, uint64_t values, bool withheld = false);
// The same for what a handler records that only reads, by event: the slot when it was opened now
// and is to be settled, else -1.
int count_reading(const Order &order);
// How a request ended that was charged before.
void conclude(int slot, core::Outcome outcome, int status);
// The handler failed, and nothing of what it read is shown: its readings are settled without
// entries, unless the transaction is rolled back.
void settle_readings();
// No field has this number: address and user agent of ledger entries.
inline constexpr uint32_t kAuditMeta = 0;
// The transaction has written its own entry for this charge: the slot is freed at commit, unless
// the subtransaction that wrote the entry is rolled back. Makes the commit synchronous.
void settle(int slot);
// Open or orphaned sign-in charges of a user, other than `except`: attempts whose outcome is not
// yet in the user's row.
int pending_sign_ins(const pg_uuid_t &user, int except);
// Where the request came from, before there is a context. Cleared at transaction end.
void set_origin(const char *ip, const char *user_agent, const char *request_id);
struct Origin {
    const char *ip, *user_agent, *request_id;  // nullptr where it was not said
};
// What set_origin() was told, or the context knows; until the end of the transaction.
Origin origin();

// For the worker, in its transaction: writes what backends of this database left behind. Returns
// the slots written.
int collect();
// For the launcher and the worker: a database or its extension is gone, and with it the ledger that
// its charges belong to. They are counted in the server log and freed.
void forget(Oid database);
// For the postmaster, while no other process lives: the holders of all slots are gone.
void survive_restart();

struct Usage {
    int open;          // charges of transactions that run, in this database
    int waiting;       // charges that the worker has to write, in this database
    uint64_t refused;  // times no slot was free, in this cluster since its start
};
Usage usage();

// Between the files of this concept.
namespace detail {
Table *table();
// Decides the slots that a crash left: before anything commits, so that no transaction id is in use
// again.
void judge();
// The worker takes a slot into its transaction; false when it is no longer an orphan.
bool take(int slot);
// How the worker's transaction with taken slots ended.
void written(bool committed);
// Appends the entry of a charge; `note` tells why another than its transaction writes it.
void write_entry(const Slot &slot, uint64_t count, const char *note);
}  // namespace detail

void define();  // transaction callbacks; called from _PG_init

}  // namespace aegis::charge

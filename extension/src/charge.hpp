// SPDX-License-Identifier: Apache-2.0
// What must survive a rollback is charged first: sign-in attempts, denials, reveals, break-glass.
// A charge is a slot in memory that no rollback reverts. The transaction that made it writes its own
// ledger entry and settles the charge at commit; what it did not write (abort, cancel, lost backend)
// the worker writes from the slot. docs/charge.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::charge {

enum class Kind : uint32_t { sign_in = 1, reveal = 2, denial = 3, break_glass = 4 };

inline constexpr int kSlots = 4096;
inline constexpr size_t kDetailBytes = 256;

enum State : uint32_t { kFree = 0, kFilling = 1, kOpen = 2, kOrphan = 3, kWriting = 4 };

struct Slot {  // plain data; every field but state is written by the holder only
    std::atomic<uint32_t> state;
    Kind kind;
    int32_t pid;               // backend that holds it
    int64_t backend_start;     // tells a reused pid from the holder
    Oid database;
    uint64_t xid;              // top-level, once assigned; 0 before
    std::atomic<uint64_t> count;  // reveals: values opened
    int64_t unix_micros;
    pg_uuid_t tenant, user, session;
    uint32_t field;            // reveals: field reference
    char event[48];            // ledger event type that the worker writes
    char target[64];
    char request_id[64];
    char ip[46];
    char user_agent[128];
    char session_user[NAMEDATALEN];
    char detail[kDetailBytes]; // short text for people; never a secret
};

struct Table {
    Slot slots[kSlots];
    std::atomic<uint64_t> full;  // times no slot was free
};

struct Order {  // what to charge; copied
    Kind kind;
    const char *event;
    pg_uuid_t tenant, user;
    uint32_t field;
    const char *target;
    const char *detail;
};

// Takes a slot, or ERROR AG007 when the region, the worker or a free slot is missing: then nothing
// may be verified, revealed or assumed. Origin, session and request id come from the context or from
// set_origin(). Returns the slot number.
int open(const Order &order);
// Adds to the reveal charge of this transaction and field, opening it on first use. Works in a
// parallel worker, which adds to its leader's slot.
void count_reveal(const pg_uuid_t &tenant, uint32_t field, uint64_t values);
// The transaction has written its own entry for this charge; the slot is freed at commit.
void settle(int slot);
// Open or orphaned sign-in charges of a user, other than `except`: attempts whose outcome is not
// yet in the user's row.
int pending_sign_ins(const pg_uuid_t &user, int except);
// Where the request came from, before there is a context. Cleared at transaction end.
void set_origin(const char *ip, const char *user_agent, const char *request_id);

// For the worker: writes what backends of this database left behind. Returns the slots written.
int collect();
// For the launcher and the worker: a database or its extension is gone, and with it the ledger that
// its charges belong to. They are counted in the server log and freed.
void forget(Oid database);

struct Usage {
    int open;          // charges of transactions that run, in this database
    int waiting;       // charges that the worker has to write, in this database
    uint64_t refused;  // times no slot was free, in this cluster since its start
};
Usage usage();

void define();  // transaction callbacks; called from _PG_init

}  // namespace aegis::charge

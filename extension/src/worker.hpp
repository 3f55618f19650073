// SPDX-License-Identifier: Apache-2.0
// The background processes: one launcher per cluster, which reloads keys and starts one worker in
// every database that has the extension; the worker seals, collects charges and runs jobs.
// docs/worker.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::worker {

inline constexpr int kMaxDatabases = 64;
// A worker that did not pass its loop for this long counts as dead.
inline constexpr int64_t kStaleMicros = 10 * 1000000;

struct Slot {
    std::atomic<uint32_t> database;         // Oid, 0 when free
    std::atomic<int32_t> pid;               // 0 while no worker runs
    std::atomic<int32_t> wake_at;           // 1 + number of the worker's PGPROC, 0 for none
    std::atomic<uint32_t> announced;        // 1 once this server start is in the ledger
    std::atomic<int64_t> heartbeat_micros;  // last pass of the loop, on now_micros()'s clock
    // On now_micros()'s clock, for a wall clock that is set back would call old seals new; 0:
    // never.
    std::atomic<int64_t> sealed_micros;  // everything that had committed then is sealed
    std::atomic<uint32_t> checkpoint;    // checkpoint::Standing
    std::atomic<int64_t> signed_micros;  // everything that was sealed then is signed
};

struct Slots {
    Slot databases[kMaxDatabases];
    std::atomic<int32_t> launcher_pid;
    std::atomic<int32_t> launcher_wake_at;  // as Slot::wake_at
    std::atomic<uint32_t> attention;        // grows when a database got the extension
};

// Microseconds on a clock that all processes share and nobody can set.
int64_t now_micros();
// Slot of the current database, or nullptr while it never had a worker.
Slot *slot();
// True while the worker of this database lives and passed its loop recently.
bool is_alive();
// Wakes the worker of this database. A few instructions; safe in transaction callbacks.
void wake();
// Proves life. A step that runs longer than a second calls it between its parts.
void beat();

// For the postmaster, while no other process lives: no slot has a worker any more.
void survive_restart();

// What one process at a time does in a database: two parts under one number would wait for each
// other, as seals once did for the end of every job.
enum class Part : uint16_t { worker = 0, jobs = 1, seal = 2 };
// For background processes of one database.
// Signals, connection as the bootstrap superuser, and settings that nobody bends.
void connect(Oid database);
bool extension_is_here();
// Locks the extension for the current transaction; false when it is gone. DROP EXTENSION takes this
// lock first and its tables' after; a transaction without it would deadlock with that.
bool hold_extension();
// False when another process has this part in this database already. Held until the process ends.
bool lock_alone(Part part);
// Waits until no other process has this part, and has it until the transaction ends.
void lock_for_transaction(Part part);
// Ends the process when it or its database is to go; otherwise takes care of interrupts and
// settings, and sleeps until the latch is set, at most `millis`. Never called in a transaction.
void rest(int millis);

void define();  // registers the launcher; called from _PG_init

}  // namespace aegis::worker

extern "C" {
// Entry points of the background processes.
void aegis_launcher_main(Datum);
void aegis_worker_main(Datum);
}

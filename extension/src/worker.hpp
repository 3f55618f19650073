// SPDX-License-Identifier: Apache-2.0
// The background processes: one launcher per cluster, which reloads keys and starts one worker in
// every database that has the extension; the worker seals, collects charges and runs jobs.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::worker {

inline constexpr int kMaxDatabases = 64;

struct Slot {
    std::atomic<uint32_t> database;  // Oid, 0 when free
    std::atomic<int32_t> pid;
    std::atomic<int64_t> heartbeat_micros;  // last pass of the loop
    std::atomic<int64_t> sealed_micros;     // time up to which everything committed is sealed
};

struct Slots {
    Slot databases[kMaxDatabases];
    std::atomic<int32_t> launcher_pid;
};

// True while the worker of this database lives and passed its loop recently.
bool is_alive();
// Wakes the worker of this database. Cheap; safe at commit.
void wake();

void define();  // registers the launcher; called from _PG_init

}  // namespace aegis::worker

extern "C" {
// Entry points of the background processes.
void aegis_launcher_main(Datum);
void aegis_worker_main(Datum);
}

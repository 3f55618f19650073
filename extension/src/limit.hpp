// SPDX-License-Identifier: Apache-2.0
// What one tenant may take of the server: time of a statement, of a lock, of an idle transaction,
// requests and rows in a minute. docs/limit.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::context {
struct Context;
}

namespace aegis::limit {

struct Limits {  // in force: the tenant's own, or the settings; 0 none
    int32 statement_ms, lock_ms, idle_ms;
    int32 requests, rows;  // in a minute
};

// What holds for a tenant now, or in a snapshot.
Limits of_tenant(const pg_uuid_t &tenant, Snapshot snapshot = nullptr);

// What a transaction in a tenant's context gets of them.
void give(const Limits &limits, context::Context *context);

// How much of its quotas a tenant has used and not yet regained; 0 where it has none.
struct Use {
    int32 requests, rows;
};
Use use_of_tenant(const pg_uuid_t &tenant, const Limits &limits);

inline constexpr int32 kMostPerMinute = 10000000;

enum class Quota { requests = 0, rows = 1, mails = 2 };

// Takes one request from the quota; false, and after how many seconds to come again, when it is
// used up. What was taken is not given back by a rollback. Records the first refusal of a minute.
// within_error: the caller raises an error, so the entry is left to the worker.
bool take_request(const pg_uuid_t &tenant, const pg_uuid_t &user, const Limits &limits,
                  bool within_error, int *retry_after);
// ERROR AG019 for a quota that is used up.
[[noreturn]] void refuse(Quota quota, int retry_after);
// The seconds that the last AG019 in this process named.
int last_retry_after();

// ExecutorRun: counts the rows of what runs in a tenant's context, and ends it with AG019 at the
// row after the last of the quota.
void run(ExecutorRun_hook_type next, QueryDesc *query, ScanDirection direction, uint64 count,
         bool execute_once);

// Quotas in shared memory. A bucket that nobody used for a minute is empty, and whoever needs one
// may take it; so no lock is needed, and none can be left behind.
inline constexpr int kMeters = 4096;
struct Meter {
    std::atomic<uint64_t> tenant;         // hash; 0 never used
    std::atomic<int64_t> used_until[2];   // by Quota; microseconds on worker::now_micros()'s clock
    std::atomic<int64_t> told_minute[2];  // the minute whose first refusal was recorded
};
struct Meters {
    Meter meters[kMeters];
};

}  // namespace aegis::limit

// SPDX-License-Identifier: Apache-2.0
// How far running verifications are, in memory that every backend sees: a verification is one
// statement in one snapshot, so no row could tell. docs/verify.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::verify_progress {

enum Phase : uint32_t { kEntries = 1, kUnsealed, kTree, kCheckpoints, kHeads, kFields };

// Written by its holder only. Readers may see two fields of different moments, which does no harm.
struct Slot {
    std::atomic<int32_t> pid;  // 0 when free
    std::atomic<uint32_t> database;
    std::atomic<uint32_t> phase;
    std::atomic<bool> has_tenant;
    std::atomic<uint64_t> tenant[2];
    std::atomic<int64_t> job;  // 0: called directly
    std::atomic<int64_t> done, total;
    std::atomic<int64_t> started;  // TimestampTz
};

// Verifications beyond this number run without being seen.
inline constexpr int kSlots = 32;

struct Slots {
    Slot all[kSlots];
};

// The next verification of this process is that of this job: it is shown until the step's
// transaction ends, so that nobody sees a job that runs and is nowhere. 0 for none.
void set_job(int64 job);

// total: entries that are expected.
void begin(const pg_uuid_t *tenant, int64 total);
void expect(int64 total);  // once more is known
void enter(Phase phase);
void advance(int64 done);  // entries read so far; cheap
void end();

void survive_restart();

}  // namespace aegis::verify_progress

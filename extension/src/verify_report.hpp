// SPDX-License-Identifier: Apache-2.0
// The rows that a verification returns: one for each finding, one for each check.
#pragma once

#include "core/digest.hpp"
#include "pg/postgres.hpp"

namespace aegis::verify {

enum Check { kEntries, kLogs, kSeals, kRootLog, kHeads, kTrees, kCheckpoints, kCuts, kChecks };

struct Report {
    ReturnSetInfo *result;
    int64 items[kChecks];
    int64 findings[kChecks];
};

void put(Report *report, const char *checked, const char *subject, const char *outcome, int64 items,
         const char *detail);
// After 1000 of one check they are only counted.
void finding(Report *report, Check check, const char *subject, const char *detail);
// The row of each check.
void summarise(Report *report, const char *subject);

inline bool same(const core::Digest &a, const core::Digest &b) {
    return memcmp(a.bytes, b.bytes, core::kDigestBytes) == 0;
}

}  // namespace aegis::verify

// SPDX-License-Identifier: Apache-2.0
// Numbers the tree of a tenant's teams depth-first with gaps: a team's range holds the ranges of
// all teams below it, and a new team never moves another. docs/team.md.
#pragma once

#include "context.hpp"
#include "pg/postgres.hpp"

namespace aegis::team {

// The range of the root team. Each level divides its parent's range into kChildren parts, which
// allows six levels below the root.
inline constexpr int64 kFirst = 1;
inline constexpr int64 kLast = int64{1} << 62;
inline constexpr int64 kChildren = 1024;

// Makes the root team of a new tenant, named after it. Runs SPI as the current user.
void create_root(const pg_uuid_t &tenant, const char *name);

// The context of an admin who may change teams, or ERROR.
const context::Context &require_admin();

// Keeps the numbers of a tenant's teams as they are until the transaction ends. Comes before the
// look at the numbers that a context takes. ERROR 55P03 while they are being changed for long.
void hold_numbers(const pg_uuid_t &tenant);
// Waits for all who hold them, and keeps others out, until the transaction ends.
void take_numbers(const pg_uuid_t &tenant);
// ERROR 40001 when the statement that runs does not see this version of a team: it would look with
// new numbers at old rows.
void require_seen(HeapTuple team);

struct Range {
    int64 lo, hi;
};
// Gives every row of the tenant whose number is in one of the ranges another: from starts[i] on it
// is targets[i]. Returns how many. Inside an SPI connection as aegis_owner.
uint64 rewrite_rows(const pg_uuid_t &tenant, ArrayType *starts, ArrayType *targets, Range one,
                    Range other);
// True while rows of this table get new numbers because their teams did.
bool is_rewriting(Oid relation);
// True for the table in the statement that does it.
bool is_rewrite(const RangeTblEntry *entry, List *permissions);

// Numbers all teams below one anew, which frees the numbers of deleted ones. Recorded.
void number_below(const pg_uuid_t &tenant, const pg_uuid_t &team);

}  // namespace aegis::team

// SPDX-License-Identifier: Apache-2.0
// The verified context: which tenant, user, rank and rows the current transaction speaks for.
// One value per transaction, fed only by our own code, ended by commit or rollback.
// docs/context.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::context {

enum class Way : uint8_t {
    none = 0,
    session_token = 1,
    sign_in = 2,
    break_glass = 3,
    job = 4,
    service = 5,
    webhook = 7,
    link = 8
};

enum Rank : int16_t {
    kRankNone = 0,
    kRankUser = 1,
    kRankTeamLead = 2,
    kRankManager = 3,
    kRankAdmin = 4
};

struct Context {
    pg_uuid_t tenant;
    pg_uuid_t user;              // nil for operators, jobs, services, webhooks and links
    pg_uuid_t session;           // of services the service, of webhooks the endpoint, of links it
    pg_uuid_t target;            // links: what they open; else nil
    pg_uuid_t user_lo, user_hi;  // whose rows are visible
    int64 team_ord;              // where new rows go
    int64 team_lo, team_hi;      // which teams' rows are visible
    int16 rank;
    Way way;
    bool read_only;
    int64 job;
    TimestampTz expires_at;
    TimestampTz confirmed_at;  // sessions: when the user last showed who they are
    // What the tenant's limits give a transaction; 0 none. docs/limit.md.
    int32 statement_ms, lock_ms, idle_ms;
    int32 rows_per_minute;
    char ip[46];
    char user_agent[256];
    char request_id[64];
};
static_assert(std::is_trivially_copyable_v<Context>);

// nullptr while no context is set. Never ereports; valid in parallel workers.
const Context *current();
// The same, or ERROR AG001 "tenant is not set".
const Context &require();

// Sets the context for the rest of the transaction. Write-once: a second call in the same
// top-level transaction is refused, also after ROLLBACK TO. Refused for session users that bypass
// row security unless the way is break_glass or job. May ereport.
void establish(const Context &context);
// Ends it before the transaction does; no other can be set in it any more.
void end();

// ERROR AG002 once the context's time is over, unless code of the extension runs.
void require_timely();
// Starts the clock of the statement that runs, so that neither it nor the wait of an idle client
// goes beyond what the context allows. Asked at the start of every statement; cheap when nothing
// changes.
void hold_to_time();
// While a request handler runs, its own clock counts: how long it may run at most, at most `ms`.
int begin_own_clock(int ms);
void end_own_clock();
bool has_own_clock();  // a handler runs

// Fills the ranges that a rank gives: docs/tenant.md. subtree_hi is the last team_ord below the
// user's team.
void set_ranges(Context &context, int16 rank, const pg_uuid_t &user, int64 team_ord,
                int64 subtree_hi);

// Where the request came from, cut at characters to what fits; each may be nullptr.
void set_origin(Context &context, const char *ip, const char *user_agent, const char *request_id);

void define();  // GUC and callbacks; called from _PG_init

}  // namespace aegis::context

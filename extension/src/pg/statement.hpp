// SPDX-License-Identifier: Apache-2.0
// Fixed SQL of our own, prepared once per backend, and the switch to the role that runs it. Names
// and operators in such SQL are qualified, so the caller's search_path has no say in it.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

inline constexpr int kMaxArguments = 24;

struct Statement {  // one static object per statement
    const char *text;
    int argument_count;
    Oid arguments[kMaxArguments];
    SPIPlanPtr plan;
};

// Runs the statement inside an open SPI connection; rows come in SPI_tuptable. nulls: as in
// SPI_execute_plan, or nullptr. Returns the rows processed. May ereport.
uint64 execute(Statement &statement, const Datum *values, const char *nulls = nullptr);

// The same for a statement that only reads: sees the active snapshot and nothing younger.
uint64 read(Statement &statement, const Datum *values, const char *nulls = nullptr);

// Column of a row of the last execute() or read(), 1-based; lives until SPI_finish().
Datum column(uint64 row, int number, bool *is_null);

// Who the code runs as; an error restores it with the (sub)transaction.
struct Identity {
    Oid user;
    int security;
};
Identity become(Oid role);  // with SECURITY_LOCAL_USERID_CHANGE: SET ROLE is refused
void resume(const Identity &identity);

// The search_path of functions that others call, as pg_proc has it, and alone.
inline constexpr char kPinnedSetting[] = "search_path=pg_catalog, pg_temp";
inline constexpr const char *kPinnedPath = kPinnedSetting + sizeof "search_path=" - 1;

// For SQL that is not fixed: names and operators in it are found in pg_catalog until the level that
// this returns is given to AtEOXact_GUC(). Whoever made an operator of a caller's schema would
// otherwise run it as the role above.
int pin_search_path();

// The same, with an SPI connection around it: enter() runs as aegis_owner.
Identity enter();
void leave(const Identity &identity);

}  // namespace aegis::pg

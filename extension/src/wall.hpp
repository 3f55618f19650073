// SPDX-License-Identifier: Apache-2.0
// What tenant sessions may not do, enforced outside the catalogs: the restrictive predicate,
// default deny for relations, the statement guard, the function deny list, the gateway's
// allow-list. docs/wall.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::wall {

// Which rules hold at this moment. They follow the session user; code that runs as aegis_owner (the
// extension's own SECURITY DEFINER functions) is free, and what such code runs as somebody else
// (a handler as aegis_member) is under the member's rules.
enum class Rules {
    none,
    member,   // deny lists
    gateway,  // allow-list: the gateway's login speaks for itself
};
Rules rules_in_force();

// The predicate tenant_id = aegis.tenant_id() for a table with row security and a tenant column.
List *restrictive_policies(CmdType command, Relation relation);
// Has a MERGE into a table with tenants' rows need the right to read it. PostgreSQL applies the
// policies for SELECT, the restrictive one among them, only to a MERGE that reads a column of its
// target; another one fails on rows of other tenants, and so tells that there are some.
void read_target(Query *merge);
// ExecutorCheckPerms: ERROR AG009/AG001/AG010 for a relation that must not be touched, or false
// when the caller only asks. `permissions` is NIL on PostgreSQL 15.
bool check_relations(List *range_table, List *permissions, bool report);
// Parse analysis: ERROR AG010 for a query of a tenant session that picks rows by where they lie.
void check_query(Query *query);
// ExecutorRun: what foreign keys do to rows runs past row security, for their keys carry the
// tenant. The triggers of these rows must not: while they run, row security holds again.
struct Passage {
    bool closed;
    Oid user;
    int security;
};
Passage close_passage();
void reopen(const Passage &passage);
// ProcessUtility: ERROR AG010 for a statement that a tenant session may not run, or that would
// open a role of Aegis.
void check_statement(PlannedStmt *statement);
void check_roles(const PlannedStmt *statement);  // only the latter
// Object access: ERROR AG010 for a function that a tenant session may not execute.
void check_function(Oid function);

// True for a table with row security (forced or not) and a column tenant_id of type uuid.
bool has_tenant_rows(Oid relation, bool *forced);

// True when the name matches one of the patterns; a star at a pattern's end stands for any ending.
bool matches_any(const char *name, const char *const *patterns, size_t count);

// Names of the walls that the configuration switched off; returns how many.
inline constexpr int kWalls = 5;
int switched_off_names(const char *names[kWalls]);

void define();            // called from _PG_init
void define_function();   // the function wall's part of it
void define_statement();  // the statement guard's

}  // namespace aegis::wall

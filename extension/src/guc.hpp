// SPDX-License-Identifier: Apache-2.0
// Every setting in one place: storage, range, who may change it. docs/guc.md explains each.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::guc {

// Where this cluster's tenants live; a tenant of another region is refused.
extern char *region;
// production or development; the demonstration switches are refused in production.
extern char *environment;
// Sample logins are shown. Only demo::check() changes it, at start.
extern bool demo;
// file:PATH, command:PATH ARG..., or empty.
extern char *key_provider;
// Whether organisations may be signed up.
extern bool sign_up;
// https://HOST[:PORT] of the console, for links in mails; empty: there is none.
extern char *public_address;

// The walls. Postmaster settings from the configuration file only, for emergencies.
extern bool restrictive_wall;
extern bool default_deny;
extern bool statement_guard;
extern bool function_guard;
extern bool ledger_guard;
// What stands between the clients and this login: a pooler::Kind.
extern int pooler;
// Lets COPY fill empty ledger tables after a restore; ends with the first seal.
extern bool restore_mode;

extern int seal_interval_ms;
// Writes fail once the oldest unsealed entry is older than this; 0 never.
extern int seal_lag_limit_ms;

// Socket of the signer, empty: checkpoints are not signed.
extern char *signer;
// The log of a database is called <ledger_origin>/<database>.
extern char *ledger_origin;
// The C2SP verifier key that checkpoints must be signed with.
extern char *ledger_key;
extern int checkpoint_interval_ms;
extern int coverage_interval_seconds;
// How long outbound work may be due before somebody is told that nobody does it.
extern int outbox_patience_seconds;

// Rows that a reseal job seals anew in one second; 0 as many as it can.
extern int reseal_rate;

extern int password_memory_kib;
extern int password_iterations;
extern int password_concurrency;
// File of breached passwords; empty: there is none.
extern char *breached_passwords;
extern int lock_failures;
extern int lock_seconds;
// Failed attempts of a network and for a tenant in a minute; 0 any number.
extern int network_failures;
extern int tenant_failures;
extern int signature_window_seconds;
extern int session_idle_seconds;
extern int session_lifetime_seconds;

// How long a confirmation holds, and how many values are opened in that time without one.
extern int step_up_seconds;
extern int bulk_reveal;  // 0 any number

// How long a handler of aegis.handle() may run.
extern int request_timeout_ms;

// How long a context lasts: an operator's by default and at most, and a session's; in seconds.
extern int operator_time_box;
extern int operator_time_box_limit;
extern int transaction_timeout;
// Limits of tenants that have none of their own; 0 none.
extern int tenant_statement_timeout_ms;
extern int tenant_lock_timeout_ms;
extern int tenant_idle_timeout_ms;
extern int tenant_requests;
extern int tenant_rows;

// Defines all settings and reserves the prefix. Called once from _PG_init. Never throws.
void define();
// Settings of the server that would give away what this extension protects. Called from _PG_init.
void tighten();

}  // namespace aegis::guc

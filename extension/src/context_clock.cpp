// SPDX-License-Identifier: Apache-2.0
// A context ends with its time whatever the client does: a statement is cut off by PostgreSQL's own
// statement timeout, armed from here because the parameter can be set by the client; one that
// begins later is refused; and a client that waits in its transaction is disconnected.
#include "context.hpp"

#include "pg/report.hpp"
#include "role.hpp"

namespace aegis::context {

namespace {

bool own_clock = false;

TimestampTz statement_end(const Context &context, TimestampTz from) {
    TimestampTz end = context.expires_at;
    if (context.statement_ms > 0) end = Min(end, from + context.statement_ms * INT64CONST(1000));
    return end;
}

void cut_off_statement(const Context &context) {
    if (context.statement_ms == 0 && TIMESTAMP_NOT_FINITE(context.expires_at)) return;
    // It has gone off, and armed anew it would not say so when the statement is cancelled for it.
    if (QueryCancelPending && get_timeout_indicator(STATEMENT_TIMEOUT, false)) return;
    // PostgreSQL stops this clock after each statement, of several in one string too.
    bool runs = get_timeout_active(STATEMENT_TIMEOUT);
    TimestampTz end = statement_end(
        context, runs ? get_timeout_start_time(STATEMENT_TIMEOUT) : GetCurrentTimestamp());
    if (!runs || get_timeout_finish_time(STATEMENT_TIMEOUT) > end)
        enable_timeout_at(STATEMENT_TIMEOUT, end);
}

// Lowers a parameter that the client may have set for itself, until the transaction ends.
void cap(const char *name, int now, int most) {
    if (most == 0 || (now > 0 && now <= most)) return;
    char value[16];
    snprintf(value, sizeof value, "%d", most);
    set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

}  // namespace

void require_timely() {
    const Context *context = current();
    if (context == nullptr || GetCurrentStatementStartTimestamp() < context->expires_at ||
        GetUserId() == role::owner())
        return;
    ereport(ERROR, (errcode(AEGIS_ERRCODE_CONTEXT_REFUSED), errmsg("context has expired"),
                    errhint("Start a new transaction.")));
}

void hold_to_time() {
    const Context *context = current();
    if (context == nullptr || IsParallelWorker()) return;
    if (!own_clock) cut_off_statement(*context);
    if (IsInParallelMode() || !IsTransactionState()) return;
    cap("lock_timeout", LockTimeout, context->lock_ms);
    // What is set inside a handler ends with it.
    if (own_clock) return;
    cap("idle_in_transaction_session_timeout", IdleInTransactionSessionTimeout, context->idle_ms);
}

int begin_own_clock(int ms) {
    const Context *context = current();
    own_clock = true;
    if (context == nullptr) return ms;
    if (context->statement_ms > 0) ms = Min(ms, context->statement_ms);
    if (TIMESTAMP_NOT_FINITE(context->expires_at)) return ms;
    return Min(ms, Max(1, static_cast<int>(TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
                                                                           context->expires_at))));
}

void end_own_clock() {
    own_clock = false;
}

bool has_own_clock() {
    return own_clock;
}

}  // namespace aegis::context

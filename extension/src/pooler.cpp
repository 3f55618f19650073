// SPDX-License-Identifier: Apache-2.0
// Prepared statements are the one thing that the protocol leaves behind a transaction without any
// statement of SQL. Named ones are dropped when it ends. The unnamed one is out of reach of a
// library: it is refused instead, unless the transaction that runs it has prepared it.
#include "pooler.hpp"

#include "guc.hpp"
#include "role.hpp"

namespace aegis::pooler {

namespace {

// What the message Parse works in when it is given no name (tcop/postgres.c).
constexpr const char *kUnnamedContext = "unnamed prepared statement";

bool unnamed_is_own = false;

bool stands() {
    return guc::pooler != none && guc::statement_guard;
}

// A query of a function may have a portal of its own, which looks like one of the protocol.
bool in_function() {
    return SPI_unregister_relation("") != SPI_ERROR_UNCONNECTED;
}

void at_transaction_end(XactEvent event, void *) {
    if (!stands()) return;
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
        return;
    unnamed_is_own = false;
    // Whoever the session belongs to: catalogs cannot be read here.
    if (guc::pooler == transaction) DropAllPreparedStatements();
}

}  // namespace

void note_parsed() {
    // Whatever was the unnamed statement is gone once another is read.
    if (stands() && strcmp(CurrentMemoryContext->name, kUnnamedContext) == 0) unnamed_is_own = true;
}

void check_portal() {
    if (!stands() || unnamed_is_own) return;
    // Of statements that are sent as text no plan is kept.
    const PortalData *portal = ActivePortal;
    if (portal == nullptr || portal->cplan == nullptr || portal->prepStmtName != nullptr) return;
    if (!IsTransactionState() || !role::is_tenant_session() || in_function()) return;
    ereport(
        ERROR,
        (errcode(ERRCODE_UNDEFINED_PSTATEMENT), errmsg("unnamed prepared statement does not exist"),
         errdetail("It was not prepared in this transaction, so it may be another client's."),
         errhint("Send Parse in the transaction that executes the statement.")));
}

void define() {
    RegisterXactCallback(at_transaction_end, nullptr);
}

}  // namespace aegis::pooler

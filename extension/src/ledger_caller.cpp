// SPDX-License-Identifier: Apache-2.0
// Membership of the extension decides, not the name alone: nobody can add a member while the guard
// stands, nor replace one of these functions.
#include "ledger_caller.hpp"

#include "ledger_tables.hpp"
#include "pg/function_memory.hpp"

namespace aegis::ledger_caller {

namespace {

// Each of them asks who calls, and records what people do.
const char *const writers[] = {
    "adopt_tenant_key",      "anchor_hindered",  "anchor_refused",       "approve_tenant_action",
    "ask_witness",           "cut_ledger",       "drop_anchor",          "drop_witness",
    "erase_tenant",          "export_field_key", "hold_ledger",          "move_tenant",
    "open_tenant_request",   "register_anchor",  "register_witness",     "release_ledger",
    "request_tenant_action", "send_anchor",      "set_ledger_retention", "take_anchor_answer",
    "take_witness_answer",   "tend_anchors",     "tend_witnesses",       "withdraw_tenant_action",
    "witness_refused"};

enum class Kind : uint8 { ours, writer, foreign };

Kind judge(Oid function) {
    Oid extension = getExtensionOfObject(ProcedureRelationId, function);
    if (!OidIsValid(extension) || extension != get_extension_oid("aegis", true))
        return Kind::foreign;
    char *name = get_func_name(function);
    for (const char *writer : writers)
        if (name != nullptr && strcmp(name, writer) == 0) return Kind::writer;
    return Kind::ours;
}

pg::FunctionMemory<Kind> kinds("aegis callers of the ledger", judge);

// PostgreSQL's own functions are what ours are made of.
Kind kind_of(Oid function) {
    return function < FirstNormalObjectId ? Kind::ours : kinds.of(function);
}

// What was open before a call, to be open again after it.
struct Saved {
    const FmgrInfo *function;
    int again;  // calls of the same place within, which changed nothing
    ledger_tables::detail::Open open;
};
constexpr int kMostSaved = 64;
Saved saved[kMostSaved];
int depth = 0;

bool is_anything_open() {
    return ledger_tables::is_own_change() || ledger_tables::is_own_writer();
}

}  // namespace

bool needs_watching(Oid function) {
    return is_anything_open() && kind_of(function) == Kind::foreign;
}

void enter(const FmgrInfo *function) {
    Kind kind = kind_of(function->fn_oid);
    bool changes = kind == Kind::writer || (kind == Kind::foreign && is_anything_open());
    if (!changes) {
        if (depth > 0 && saved[depth - 1].function == function) saved[depth - 1].again++;
        return;
    }
    if (depth == kMostSaved)
        ereport(ERROR, (errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
                        errmsg("functions that change the ledger call each other too deeply")));
    ledger_tables::detail::Open &open = ledger_tables::detail::open;
    saved[depth++] = {function, 0, open};
    if (kind == Kind::writer)
        open.writer = true;
    else
        open = {};
}

void leave(const FmgrInfo *function) {
    if (depth == 0 || saved[depth - 1].function != function) return;
    if (saved[depth - 1].again > 0) {
        saved[depth - 1].again--;
        return;
    }
    ledger_tables::detail::open = saved[--depth].open;
}

void define() {
    kinds.define();
}

}  // namespace aegis::ledger_caller

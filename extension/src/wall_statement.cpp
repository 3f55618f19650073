// SPDX-License-Identifier: Apache-2.0
// Which utility statements a tenant session may run, as lists of what is allowed: a statement that
// a newer PostgreSQL adds is refused until somebody reads it.
#include "wall.hpp"

#include "charge.hpp"
#include "guc.hpp"
#include "pg/compat.hpp"
#include "pg/report.hpp"
#include "pooler.hpp"
#include "wall_role.hpp"

namespace aegis::wall {

namespace {

// Parameters that a pooler gives back to each of its clients, and how many notices one gets.
const char *const session_parameters[] = {"application_name", "client_encoding",
                                          "client_min_messages", "datestyle", "timezone"};
// Bounds of a transaction; the gateway sets them once, when it connects.
const char *const timeouts[] = {"statement_timeout", "lock_timeout",
                                "idle_in_transaction_session_timeout"};
// Left behind, these would change how another client of the same pooled session reads its values.
const char *const local_parameters[] = {"bytea_output",       "check_function_bodies",
                                        "extra_float_digits", "intervalstyle",
                                        "search_path",        "transaction_*"};

constexpr const char *kRouteChannel = "aegis_route";

[[noreturn]] void refuse(const char *what, Rules rules) {
    charge::note_refusal("statement", what);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                    errmsg("%s is not allowed in a tenant session", what),
                    rules == Rules::gateway
                        ? errdetail("The gateway's login may call its entry functions only.")
                        : errdetail("It reaches beyond the tenant or the transaction.")));
    pg_unreachable();
}

bool names_parameter(const char *name, const char *const *list, size_t count) {
    char lower[NAMEDATALEN];
    strlcpy(lower, name, sizeof lower);
    for (char *c = lower; *c; c++) *c = pg_ascii_tolower(static_cast<unsigned char>(*c));
    return matches_any(lower, list, count);
}

bool may_set(const VariableSetStmt *set, Rules rules) {
    if (set->kind == VAR_RESET_ALL) return true;  // back to what the administrator configured
    if (set->kind == VAR_SET_MULTI)
        return rules == Rules::member && strcmp(set->name, "TRANSACTION") == 0;
    if (names_parameter(set->name, session_parameters, lengthof(session_parameters))) return true;
    if (set->kind == VAR_RESET || set->kind == VAR_SET_DEFAULT)
        return rules == Rules::member || names_parameter(set->name, timeouts, lengthof(timeouts));
    if (names_parameter(set->name, timeouts, lengthof(timeouts)))
        return rules == Rules::gateway || set->is_local;
    return rules == Rules::member && set->is_local &&
           names_parameter(set->name, local_parameters, lengthof(local_parameters));
}

bool may_run_transaction(const TransactionStmt *statement) {
    switch (statement->kind) {
        case TRANS_STMT_PREPARE:  // would outlive the session
        case TRANS_STMT_COMMIT_PREPARED:
        case TRANS_STMT_ROLLBACK_PREPARED:
            return false;
        default:
            return true;
    }
}

bool gateway_may_run(Node *node) {
    switch (nodeTag(node)) {
        case T_TransactionStmt:
            return may_run_transaction(reinterpret_cast<TransactionStmt *>(node));
        case T_VariableSetStmt:
            return may_set(reinterpret_cast<VariableSetStmt *>(node), Rules::gateway);
        case T_ListenStmt:
            return strcmp(reinterpret_cast<ListenStmt *>(node)->conditionname, kRouteChannel) == 0;
        case T_UnlistenStmt:
        case T_DiscardStmt:
            return true;
        default:
            return false;
    }
}

bool member_may_run(Node *node) {
    switch (nodeTag(node)) {
        case T_TransactionStmt:
            return may_run_transaction(reinterpret_cast<TransactionStmt *>(node));
        case T_VariableSetStmt:
            return may_set(reinterpret_cast<VariableSetStmt *>(node), Rules::member);
        case T_DeclareCursorStmt:
            return (reinterpret_cast<DeclareCursorStmt *>(node)->options & CURSOR_OPT_HOLD) == 0;
        case T_CopyStmt: {  // to and from the client; row security holds for it
            const CopyStmt *copy = reinterpret_cast<CopyStmt *>(node);
            return !copy->is_program && copy->filename == nullptr;
        }
        case T_DeallocateStmt:  // drivers do; it only drops what the client's own connection holds
            return guc::pooler == pooler::none;
        case T_CallStmt:
        case T_ClosePortalStmt:
        case T_ConstraintsSetStmt:
        case T_DiscardStmt:
        case T_FetchStmt:
        case T_VariableShowStmt:
            return true;
        default:
            return false;
    }
}

// Messages for the server's developers show transaction numbers, which count what all tenants do.
bool check_messages(int *level, void **, GucSource source) {
    if (*level >= LOG || source < PGC_S_CLIENT || !guc::statement_guard || !IsTransactionState() ||
        rules_in_force() == Rules::none)
        return true;
    GUC_check_errmsg("debugging messages are not allowed in a tenant session");
    return false;
}

// Which rows TABLESAMPLE gives follows from the places where they lie, which count what lies
// between them.
bool refuse_sample(Node *node, void *rules) {
    if (node == nullptr) return false;
    if (IsA(node, TableSampleClause)) refuse("TABLESAMPLE", *static_cast<Rules *>(rules));
    if (IsA(node, Query))
        return pg::walk_query(reinterpret_cast<Query *>(node), refuse_sample, rules);
    return pg::walk_expression(node, refuse_sample, rules);
}

}  // namespace

void define_statement() {
    struct config_generic *setting = pg::find_setting("client_min_messages");
    if (setting == nullptr || setting->vartype != PGC_ENUM) return;
    reinterpret_cast<struct config_enum *>(setting)->check_hook = check_messages;
}

void check_roles(const PlannedStmt *statement) {
    // In a failed transaction only its end can run, and catalogs cannot be read.
    if (guc::statement_guard && IsTransactionState()) check_role_statement(statement->utilityStmt);
}

void check_query(Query *query) {
    if (!guc::statement_guard || !IsTransactionState()) return;
    Rules rules = rules_in_force();
    // The query of a cursor stands inside its statement.
    if (query->utilityStmt != nullptr && IsA(query->utilityStmt, DeclareCursorStmt))
        query = castNode(Query, reinterpret_cast<DeclareCursorStmt *>(query->utilityStmt)->query);
    if (rules != Rules::none) pg::walk_query(query, refuse_sample, &rules);
}

void check_statement(PlannedStmt *statement) {
    if (!guc::statement_guard || !IsTransactionState()) return;
    Node *node = statement->utilityStmt;
    check_role_statement(node);
    Rules rules = rules_in_force();
    if (rules == Rules::none) return;
    if (rules == Rules::gateway ? gateway_may_run(node) : member_may_run(node)) return;
    refuse(CreateCommandName(node), rules);
}

}  // namespace aegis::wall

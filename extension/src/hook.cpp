// SPDX-License-Identifier: Apache-2.0
// Knows which hooks there are, in which order the concepts are asked, and that previous hooks stay
// in the chain. It decides nothing itself.
#include "hook.hpp"

#include "bystander.hpp"
#include "context.hpp"
#include "label.hpp"
#include "ledger_caller.hpp"
#include "ledger_guard.hpp"
#include "limit.hpp"
#include "pg/compat.hpp"
#include "pooler.hpp"
#include "protect.hpp"
#include "scrub_log.hpp"
#include "stored_constant.hpp"
#include "wall.hpp"
#include "watch.hpp"

namespace aegis::hook {

namespace {

row_security_policy_hook_type previous_restrictive = nullptr;
ExecutorCheckPerms_hook_type previous_check_permissions = nullptr;
ExecutorRun_hook_type previous_run = nullptr;
ProcessUtility_hook_type previous_utility = nullptr;
object_access_hook_type previous_object_access = nullptr;
post_parse_analyze_hook_type previous_analyze = nullptr;
emit_log_hook_type previous_log = nullptr;
needs_fmgr_hook_type previous_needs_call = nullptr;
fmgr_hook_type previous_call = nullptr;

extern "C" {

List *on_restrictive_policies(CmdType command, Relation relation) {
    List *policies = previous_restrictive ? previous_restrictive(command, relation) : NIL;
    if (bystander::is_session()) return policies;
    return list_concat(policies, wall::restrictive_policies(command, relation));
}

bool on_check_permissions(AEGIS_CHECK_PERMISSIONS_PARAMETERS) {
    if (previous_check_permissions &&
        !previous_check_permissions(AEGIS_CHECK_PERMISSIONS_ARGUMENTS))
        return false;
    if (bystander::is_session()) return true;
    context::hold_to_time();
    pooler::check_portal();
    ledger_guard::check_relations(range_table);
    return wall::check_relations(range_table, AEGIS_CHECK_PERMISSIONS_INFOS, report);
}

void on_utility(PlannedStmt *statement, const char *text, bool read_only_tree,
                ProcessUtilityContext context, ParamListInfo parameters,
                QueryEnvironment *environment, DestReceiver *receiver,
                QueryCompletion *completion) {
    ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;
    if (bystander::is_session()) {
        wall::check_roles(statement);
        next(statement, text, read_only_tree, context, parameters, environment, receiver,
             completion);
        return;
    }
    bool ends_transaction = nodeTag(statement->utilityStmt) == T_TransactionStmt;
    if (!ends_transaction) {
        context::require_timely();
        context::hold_to_time();
    }
    pooler::check_portal();
    if (nodeTag(statement->utilityStmt) == T_SecLabelStmt) label::expect();
    ledger_guard::check_statement(statement);
    wall::check_statement(statement);
    protect::check_statement(statement);
    // Asked first: a statement that ends the transaction can free itself.
    bool needs_check = stored_constant::needs_check(statement);
    protect::TreeChange change = protect::expect_tree_change(statement);
    watch::expect_change(statement);
    next(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
    if (change.parent != nullptr) protect::follow_tree_change(change);
    if (needs_check) stored_constant::check_statement_done(statement);
    // A statement may have set what holds the client that waits after it.
    if (nodeTag(statement->utilityStmt) == T_VariableSetStmt) context::hold_to_time();
}

void on_run(QueryDesc *query, ScanDirection direction, uint64 count, bool execute_once) {
    ExecutorRun_hook_type next = previous_run ? previous_run : standard_ExecutorRun;
    if (bystander::is_session()) {
        next(query, direction, count, execute_once);
        return;
    }
    // Rows of a portal that was opened in time are asked for by statements of their own; and the
    // protocol stops the clock between opening a portal and running it.
    context::require_timely();
    context::hold_to_time();
    wall::Passage passage = wall::close_passage();
    limit::run(next, query, direction, count, execute_once);
    wall::reopen(passage);
}

void on_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg) {
    if (previous_object_access) previous_object_access(access, class_id, object_id, sub_id, arg);
    if (bystander::is_session()) return;
    switch (access) {
        case OAT_FUNCTION_EXECUTE:  // hot: once per function of every statement
            wall::check_function(object_id);
            break;
        case OAT_NAMESPACE_SEARCH:
            break;
        default:
            ledger_guard::check_object(access, class_id, object_id, sub_id, arg);
            stored_constant::check_object(access, class_id, object_id, sub_id, arg);
            break;
    }
}

void on_analyze(ParseState *state, Query *query, JumbleState *jumble) {
    if (previous_analyze) previous_analyze(state, query, jumble);
    pooler::note_parsed();
    if (bystander::is_session()) return;
    if (query->commandType == CMD_MERGE) wall::read_target(query);
    wall::check_query(query);
}

// While an error is reported no catalog may be read: whoever is not known to be a bystander is
// none.
void on_log(ErrorData *line) {
    if (!IsNormalProcessingMode() || !OidIsValid(MyDatabaseId) || !bystander::is_known())
        scrub::clean_log(line);
    if (previous_log) previous_log(line);
}

bool on_needs_call(Oid function) {
    if (previous_needs_call && previous_needs_call(function)) return true;
    return ledger_caller::needs_watching(function) || ledger_guard::is_surgery(function);
}

void on_call(FmgrHookEventType event, FmgrInfo *function, Datum *data) {
    // Before anybody else has begun: what is refused here is never told to have ended.
    if (event == FHET_START && !bystander::is_session())
        ledger_guard::check_function(function->fn_oid);
    if (previous_call) previous_call(event, function, data);
    if (bystander::is_session()) return;
    if (event == FHET_START)
        ledger_caller::enter(function);
    else
        ledger_caller::leave(function);
}

}  // extern "C"

// Puts `ours` at the head of the chain and remembers what was there.
template <typename Hook>
void chain(Hook &head, Hook &previous, Hook ours) {
    previous = head;
    head = ours;
}

}  // namespace

void install() {
    chain(row_security_policy_hook_restrictive, previous_restrictive, on_restrictive_policies);
    chain(ExecutorCheckPerms_hook, previous_check_permissions, on_check_permissions);
    chain(ExecutorRun_hook, previous_run, on_run);
    chain(ProcessUtility_hook, previous_utility, on_utility);
    chain(object_access_hook, previous_object_access, on_object_access);
    chain(post_parse_analyze_hook, previous_analyze, on_analyze);
    chain(emit_log_hook, previous_log, on_log);
    chain(needs_fmgr_hook, previous_needs_call, on_needs_call);
    chain(fmgr_hook, previous_call, on_call);
}

}  // namespace aegis::hook

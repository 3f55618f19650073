// SPDX-License-Identifier: Apache-2.0
// A handler runs as aegis_member, in a subtransaction of its own, against the clock, and read-only
// when the method is safe. What it fails with becomes a problem; what it did is then undone.
#include "handle.hpp"

#include "catalogue.hpp"
#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "role.hpp"

namespace aegis::handle {

namespace {

TimeoutId timeout_id;
bool timeout_registered = false;
volatile sig_atomic_t timed_out = false;

// A statement_timeout that a handler sets counts from the next statement only, and the one of the
// session may be off: so this clock is our own. Runs in a signal handler.
void on_timeout() {
    timed_out = true;
    InterruptPending = true;
    QueryCancelPending = true;
    SetLatch(MyLatch);
}

void start_clock() {
    if (!timeout_registered) {
        timeout_id = RegisterTimeout(USER_TIMEOUT, on_timeout);
        timeout_registered = true;
    }
    timed_out = false;
    enable_timeout_after(timeout_id, context::begin_own_clock(guc::request_timeout_ms));
}

void stop_clock() {
    context::end_own_clock();
    // A handler that was refused before its clock was started.
    if (!timeout_registered) return;
    disable_timeout(timeout_id, false);
    // Fired too late to interrupt the handler: it must not interrupt what comes after.
    if (timed_out && !get_timeout_indicator(STATEMENT_TIMEOUT, false) &&
        !get_timeout_indicator(LOCK_TIMEOUT, false))
        QueryCancelPending = false;
}

Datum request_datum(const Exchange &exchange, const route::Match &match, Jsonb *body) {
    Datum values[] = {
        CStringGetTextDatum(exchange.method),
        CStringGetTextDatum(exchange.target.path),
        JsonbPGetDatum(http::to_jsonb(match.parameters, match.parameter_count)),
        JsonbPGetDatum(http::to_jsonb(exchange.target.query, exchange.target.query_count)),
        JsonbPGetDatum(http::visible_headers(exchange.headers)),
        body ? JsonbPGetDatum(body) : 0,
        PointerGetDatum(pg::copy_varlena(exchange.body)),
    };
    bool nulls[] = {false, false, false, false, false, body == nullptr, false};
    TupleDesc desc = lookup_rowtype_tupdesc(route::request_type(), -1);
    Datum request = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
    ReleaseTupleDesc(desc);
    return request;
}

// As SET LOCAL does, which may follow the handler's own SET; SAVE may follow nothing.
void set_path() {
    if (strcmp(namespace_search_path, pg::kPinnedPath) != 0)
        set_config_option("search_path", pg::kPinnedPath, PGC_USERSET, PGC_S_SESSION,
                          GUC_ACTION_LOCAL, true, 0, false);
}

struct Call {
    Exchange *exchange;
    const route::Match *match;
    Jsonb *body;
    bool read_only;
};

void run_handler(const Call &call) {
    if (const char *reason = route::unfitness(call.match->route->handler))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
                 errmsg("handler cannot answer requests"), errdetail("As a handler, %s.", reason)));
    if (call.read_only) XactReadOnly = true;  // until the subtransaction ends
    int nest = NewGUCNestLevel();
    set_path();

    start_clock();
    pg::Identity before = pg::become(role::member());
    Oid handler = call.match->route->handler;
    InvokeFunctionExecuteHook(handler);
    FmgrInfo function;
    route::find_call(handler, &function);
    LOCAL_FCINFO(fcinfo, 1);
    InitFunctionCallInfoData(*fcinfo, &function, 1, InvalidOid, nullptr, nullptr);
    fcinfo->args[0].value = request_datum(*call.exchange, *call.match, call.body);
    fcinfo->args[0].isnull = false;
    PgStat_FunctionCallUsage usage;
    pgstat_init_function_usage(fcinfo, &usage);
    Datum result = FunctionCallInvoke(fcinfo);
    pgstat_end_function_usage(&usage, true);
    if (fcinfo->isnull) reject_answer("It is null.");
    set_path();  // the handler may have left another one
    // Deferred constraints fail here, as the member and as an answer, not at commit.
    ConstraintsSetStmt *immediate = makeNode(ConstraintsSetStmt);
    immediate->constraints = NIL;
    immediate->deferred = false;
    AfterTriggerSetState(immediate);
    pg::resume(before);
    stop_clock();

    read_answer(result, &call.exchange->answer);
    // Not kept, also what was set for the session: the next request on it is another tenant's.
    AtEOXact_GUC(false, nest);
}

// What a person needs to find the cause; the text of the error may quote a client's data, so it is
// logged in development only.
void log_failure(const Exchange &exchange, const route::Route &route, const ErrorData &error) {
    bool development = strcmp(guc::environment, "development") == 0;
    ereport(LOG, (errcode(error.sqlerrcode), errhidestmt(true), errhidecontext(true),
                  errmsg("handler of %s %s failed with SQLSTATE %s", route.method, route.path,
                         unpack_sql_state(error.sqlerrcode)),
                  errdetail_log(
                      "Request %s%s%s.", exchange.request_id ? exchange.request_id : "without id",
                      development ? ": " : "", development && error.message ? error.message : "")));
}

// Whoever called has the answer before the transaction commits, and may yet make it roll back: by a
// row of the same statement that fails, by a portal left half-way, by hanging up. What was read is
// read then, so its event is charged before.
int charge_event(const route::Route &route) {
    static const pg_uuid_t nil = {};
    // A restored row may name a type of Aegis: then nothing is done rather than an entry forged.
    (void)catalogue::require_open(route.event);
    const context::Context *context = context::current();
    char *target = psprintf("%s %s", route.method, route.path);
    return charge::open({charge::Kind::request, route.event,
                         context != nullptr && !route.withheld ? context->tenant : nil,
                         context != nullptr ? context->user : nil, 0, target, nullptr});
}

core::Outcome outcome_of(int status) {
    if (status < 400) return core::Outcome::success;
    return status == 401 || status == 403 ? core::Outcome::denied : core::Outcome::failure;
}

}  // namespace

void record_event(const Exchange &exchange, const route::Route &route, int charged) {
    if (route.event == nullptr) return;
    // A restored row may name a type of Aegis: then nothing is done rather than an entry forged.
    (void)catalogue::require_open(route.event);
    uint8_t detail[128];
    // What an upstream answers is not known here, only that its request was signed.
    bool forwarded = route.upstream != nullptr && exchange.answer.status == 200;
    ledger::DetailPair pair = {forwarded ? "upstream" : "status",
                               forwarded ? route.upstream : nullptr, exchange.answer.status};
    char *target = psprintf("%s %s", route.method, route.path);
    static const pg_uuid_t nil = {};
    const context::Context *context = context::current();
    if (charged >= 0)
        charge::conclude(charged, outcome_of(exchange.answer.status), exchange.answer.status);
    ledger::Event entry = {route.event};
    if (route.withheld) entry.tenant = &nil;
    entry.outcome = outcome_of(exchange.answer.status);
    entry.target_kind = "route";
    entry.target_id = target;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    if (context == nullptr) {
        entry.ip = exchange.peer;
        entry.user_agent = exchange.user_agent;
        entry.request_id = exchange.request_id;
    }
    ledger::append(entry);
    if (charged >= 0) charge::settle(charged);
}

void call_handler(Exchange *exchange, const route::Match &match) {
    const route::Route &route = *match.route;
    Jsonb *body = parse_body(exchange);
    bool webhook = (route.credentials & route::kWebhook) != 0;
    if (exchange->answer.status != 0) {
        if (!webhook) return;
        exchange->answer = {};  // its handler notes that a signed body was no JSON
    }
    Call call = {exchange, &match, body, strcmp(route.method, "GET") == 0};
    int charged = -1;
    auto run = [&] {
        if (call.read_only && route.event != nullptr) charged = charge_event(route);
        run_handler(call);
    };
    ErrorData *error = pg::try_in_subtransaction(run);
    if (error != nullptr) {
        stop_clock();
        charge::settle_readings();
        // A cancel that is not our own clock's belongs to whoever sent it.
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && !timed_out) ReThrowError(error);
        http::set_problem_of_error(&exchange->answer, *error, exchange->request_id);
        if (exchange->answer.status >= 500 || webhook) log_failure(*exchange, route, *error);
        // Whatever is the matter here, the provider must send it again.
        if (webhook) refuse(exchange, http::kUnavailable);
        if (exchange->answer.status == 403) {
            http::Answer answer = exchange->answer;
            deny(exchange, http::kForbidden, route.path, unpack_sql_state(error->sqlerrcode));
            exchange->answer = answer;
        }
    }
    record_event(*exchange, route, charged);
}

}  // namespace aegis::handle

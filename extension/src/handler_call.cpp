// SPDX-License-Identifier: Apache-2.0
// A handler runs as aegis_member, in a subtransaction of its own, against the clock, and read-only
// when the method is safe. What it fails with becomes a problem; what it did is then undone.
#include "handle.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "role.hpp"

namespace aegis::handle {

namespace {

// Headers that an answer of a handler may carry; the rest is ours or the gateway's.
const char *const kAnswerHeaders[] = {
    "content-language", "content-type", "etag", "last-modified", "link", "location", "retry-after"};

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
    enable_timeout_after(timeout_id, guc::request_timeout_ms);
}

void stop_clock() {
    disable_timeout(timeout_id, false);
    // Fired too late to interrupt the handler: it must not interrupt what comes after.
    if (timed_out) QueryCancelPending = false;
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

void reject_answer(const char *reason) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
             errmsg("handler returned an answer that cannot be sent"), errdetail("%s", reason)));
}

void copy_header(http::Answer *answer, const char *name, const char *value) {
    bool allowed = false;
    for (const char *known : kAnswerHeaders) allowed = allowed || strcmp(name, known) == 0;
    if (!allowed) reject_answer("A header of it is not a handler's to set.");
    for (const char *c = value; *c != '\0'; c++)
        if (static_cast<unsigned char>(*c) < 0x20 || static_cast<unsigned char>(*c) > 0x7e)
            reject_answer("A header value has a character outside printable ASCII.");
    if (strcmp(name, "content-type") == 0 && strcmp(value, "application/json") != 0 &&
        strcmp(value, "application/problem+json") != 0)
        reject_answer("A body is application/json or application/problem+json.");
    http::add_header(answer, name, value);
}

void copy_headers(http::Answer *answer, Jsonb *headers) {
    if (!JB_ROOT_IS_OBJECT(headers)) reject_answer("Headers are a JSON object of strings.");
    JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
    JsonbValue item;
    const char *name = nullptr;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            name = pnstrdup(item.val.string.val, item.val.string.len);
        } else if (token == WJB_VALUE) {
            if (item.type != jbvString) reject_answer("Headers are a JSON object of strings.");
            copy_header(answer, name, pnstrdup(item.val.string.val, item.val.string.len));
        }
    }
}

bool has_header(const http::Answer &answer, const char *name) {
    for (int i = 0; i < answer.header_count; i++)
        if (strcmp(answer.headers[i].name, name) == 0) return true;
    return false;
}

void read_response(Exchange *exchange, Datum result) {
    http::Answer *answer = &exchange->answer;
    *answer = {};
    HeapTupleHeader tuple = DatumGetHeapTupleHeader(result);
    bool is_null;
    Datum status = GetAttributeByNum(tuple, 1, &is_null);
    if (is_null || DatumGetInt32(status) < 200 || DatumGetInt32(status) > 599)
        reject_answer("A status is between 200 and 599.");
    answer->status = DatumGetInt32(status);
    Datum headers = GetAttributeByNum(tuple, 2, &is_null);
    if (!is_null) copy_headers(answer, DatumGetJsonbPCopy(headers));
    Datum body = GetAttributeByNum(tuple, 3, &is_null);
    if (is_null) return;
    http::set_json(answer, DatumGetJsonbPCopy(body));
    if (!has_header(*answer, "content-type"))
        http::add_header(answer, "content-type", "application/json");
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
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                      GUC_ACTION_SAVE, true, 0, false);

    start_clock();
    pg::Identity before = pg::become(role::member());
    Oid handler = call.match->route->handler;
    InvokeFunctionExecuteHook(handler);
    FmgrInfo function;
    fmgr_info(handler, &function);
    LOCAL_FCINFO(fcinfo, 1);
    InitFunctionCallInfoData(*fcinfo, &function, 1, InvalidOid, nullptr, nullptr);
    fcinfo->args[0].value = request_datum(*call.exchange, *call.match, call.body);
    fcinfo->args[0].isnull = false;
    Datum result = FunctionCallInvoke(fcinfo);
    if (fcinfo->isnull) reject_answer("It is null.");
    // Deferred constraints fail here, as the member and as an answer, not at commit.
    ConstraintsSetStmt *immediate = makeNode(ConstraintsSetStmt);
    immediate->constraints = NIL;
    immediate->deferred = false;
    AfterTriggerSetState(immediate);
    pg::resume(before);
    stop_clock();

    read_response(call.exchange, result);
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

core::Outcome outcome_of(int status) {
    if (status < 400) return core::Outcome::success;
    return status == 401 || status == 403 ? core::Outcome::denied : core::Outcome::failure;
}

void record_event(const Exchange &exchange, const route::Route &route) {
    uint8_t detail[64];
    ledger::DetailPair pair = {"status", nullptr, exchange.answer.status};
    char *target = psprintf("%s %s", route.method, route.path);
    ledger::Event entry = {route.event};
    entry.outcome = outcome_of(exchange.answer.status);
    entry.target_kind = "route";
    entry.target_id = target;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    if (context::current() == nullptr) {
        entry.ip = exchange.peer;
        entry.user_agent = exchange.user_agent;
        entry.request_id = exchange.request_id;
    }
    ledger::append(entry);
}

}  // namespace

void call_handler(Exchange *exchange, const route::Match &match) {
    const route::Route &route = *match.route;
    Jsonb *body = parse_body(exchange);
    if (exchange->answer.status != 0) return;
    Call call = {exchange, &match, body, strcmp(route.method, "GET") == 0};
    auto run = [&] { run_handler(call); };
    ErrorData *error = pg::try_in_subtransaction(run);
    if (error != nullptr) {
        stop_clock();
        // A cancel that is not our own clock's belongs to whoever sent it.
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && !timed_out) ReThrowError(error);
        http::set_problem_of_error(&exchange->answer, *error, exchange->request_id);
        if (exchange->answer.status >= 500) log_failure(*exchange, route, *error);
        if (exchange->answer.status == 403) {
            http::Answer answer = exchange->answer;
            deny(exchange, http::kForbidden, route.path, unpack_sql_state(error->sqlerrcode));
            exchange->answer = answer;
        }
    }
    if (route.event != nullptr) record_event(*exchange, route);
}

}  // namespace aegis::handle

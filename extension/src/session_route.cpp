// SPDX-License-Identifier: Apache-2.0
// /api/session: POST signs in, GET says who is signed in, DELETE signs out.
#include "sign_in.hpp"

#include "handle.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "user.hpp"

namespace aegis::handle {

namespace {

constexpr char kPath[] = "/api/session";
constexpr size_t kBodyLimit = 4096;
constexpr char kClearCookie[] = "__Host-aegis=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

pg::Statement find_tenant = {
    "SELECT t.slug, t.name FROM aegis.tenant t WHERE t.id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

// A string member of the body; nullptr when it is missing or no string.
const char *member(Jsonb *body, const char *name) {
    JsonbValue buffer;
    JsonbValue *value =
        getKeyJsonValueFromContainer(&body->root, name, static_cast<int>(strlen(name)), &buffer);
    return value != nullptr && value->type == jbvString
               ? pnstrdup(value->val.string.val, value->val.string.len)
               : nullptr;
}

bool wants_token(Jsonb *body) {
    JsonbValue buffer;
    JsonbValue *value = getKeyJsonValueFromContainer(&body->root, "token", 5, &buffer);
    return value != nullptr && value->type == jbvBool && value->val.boolean;
}

// {"expires_at": …, "user": {…}, "tenant": {…}} and the token when asked for.
void describe(http::Answer *answer, const pg_uuid_t &tenant, const pg_uuid_t &user, int rank,
              TimestampTz expires_at, const char *token) {
    char tenant_id[37], user_id[37], expires[MAXDATELEN + 1];
    int utc = 0;
    user::format(tenant, tenant_id);
    user::format(user, user_id);
    JsonEncodeDateTime(expires, TimestampTzGetDatum(expires_at), TIMESTAMPTZOID, &utc);
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfo(&json,
                     "{\"expires_at\": \"%s\", \"user\": {\"id\": \"%s\", \"rank\": %d}, "
                     "\"tenant\": {\"id\": \"%s\"",
                     expires, user_id, rank, tenant_id);
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&tenant)};
    if (pg::execute(find_tenant, values) == 1) {
        bool is_null;
        const char *slug = TextDatumGetCString(pg::column(0, 1, &is_null));
        const char *name = TextDatumGetCString(pg::column(0, 2, &is_null));
        MemoryContext spi = MemoryContextSwitchTo(memory);
        appendStringInfoString(&json, ", \"slug\": ");
        escape_json(&json, slug);
        appendStringInfoString(&json, ", \"name\": ");
        escape_json(&json, name);
        MemoryContextSwitchTo(spi);
    }
    pg::leave(before);
    appendStringInfoChar(&json, '}');
    if (token != nullptr) {
        appendStringInfoString(&json, ", \"token\": ");
        escape_json(&json, token);
    }
    appendStringInfoChar(&json, '}');
    answer->body = {reinterpret_cast<uint8_t *>(json.data), static_cast<size_t>(json.len)};
    http::add_header(answer, "content-type", "application/json");
}

void start(Exchange *exchange) {
    // A page of another site must not sign its visitor in as somebody else.
    if (!http::is_same_origin(exchange->headers, true)) {
        deny(exchange, http::kCrossSite, kPath, "cross-site");
        return;
    }
    if (!accept_body(exchange, kBodyLimit)) return;
    Jsonb *body = parse_body(exchange);
    if (exchange->answer.status != 0) return;
    if (body == nullptr || !JB_ROOT_IS_OBJECT(body)) {
        refuse(exchange, http::kMalformedBody, "the body must be an object");
        return;
    }
    const char *tenant = member(body, "tenant"), *email = member(body, "email"),
               *password = member(body, "password");
    if (tenant == nullptr || email == nullptr || password == nullptr) {
        refuse(exchange, http::kInvalid, "tenant, email and password must be strings");
        return;
    }
    sign_in::Request request = {tenant,
                                email,
                                pg::view_of(password),
                                exchange->peer,
                                exchange->user_agent,
                                exchange->request_id};
    sign_in::Result result;
    auto attempt = [&] { sign_in::attempt(request, &result); };
    if (ErrorData *error = pg::try_in_subtransaction(attempt)) {
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) ReThrowError(error);
        // As for every handler: the text may quote what was typed.
        bool elsewhere = error->sqlerrcode == AEGIS_ERRCODE_TENANT_MOVED ||
                         error->sqlerrcode == AEGIS_ERRCODE_WRONG_REGION;
        bool development = strcmp(guc::environment, "development") == 0;
        ereport(
            elsewhere ? DEBUG1 : LOG,
            (errcode(error->sqlerrcode), errhidestmt(true), errhidecontext(true),
             errmsg("sign-in failed with SQLSTATE %s", unpack_sql_state(error->sqlerrcode)),
             errdetail_log(
                 "Request %s%s%s.", exchange->request_id ? exchange->request_id : "without id",
                 development ? ": " : "", development && error->message ? error->message : "")));
        http::set_problem_of_error(&exchange->answer, *error, exchange->request_id);
        return;
    }
    switch (result.outcome) {
        case sign_in::Outcome::failed:
            refuse(exchange, http::kInvalidCredentials);
            return;
        case sign_in::Outcome::busy:
            refuse(exchange, http::kBusy);
            http::add_header(&exchange->answer, "retry-after", psprintf("%d", result.retry_after));
            return;
        case sign_in::Outcome::success:
            break;
    }
    exchange->answer.status = 201;
    describe(&exchange->answer, result.tenant, result.user, result.rank, result.expires_at,
             wants_token(body) ? result.token : nullptr);
    http::add_header(
        &exchange->answer, "set-cookie",
        psprintf("%s=%s; Path=/; Secure; HttpOnly; SameSite=Lax", http::kCookieName, result.token));
}

// A page polls this to notice that it was replaced, so it does not count as being used.
void show(Exchange *exchange) {
    if (!authenticate(exchange, kPath) || !accept_body(exchange, 0)) return;
    const session::Session &session = exchange->session;
    exchange->answer.status = 200;
    describe(&exchange->answer, session.tenant, session.user, session.rank, session.expires_at,
             nullptr);
}

void finish(Exchange *exchange) {
    if (!authenticate(exchange, kPath) || !accept_body(exchange, kBodyLimit)) return;
    pg::Identity before = pg::enter();
    if (session::end(exchange->session.user, &exchange->session.id, "signed_out")) {
        char id[37];
        user::format(exchange->session.id, id);
        ledger::Event entry = {"auth.sign_out"};
        entry.target_kind = "session";
        entry.target_id = id;
        ledger::append(entry);
    }
    pg::leave(before);
    exchange->answer.status = 204;
    if (exchange->credential.source == http::Source::cookie)
        http::add_header(&exchange->answer, "set-cookie", kClearCookie);
}

}  // namespace

bool is_session_route(const http::Target &target) {
    return strcmp(target.path, kPath) == 0;
}

void answer_session(Exchange *exchange) {
    const char *method = exchange->method;
    if (strcmp(method, "POST") == 0) {
        start(exchange);
    } else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        show(exchange);
    } else if (strcmp(method, "DELETE") == 0) {
        finish(exchange);
    } else {
        refuse(exchange, http::kMethodNotAllowed);
        http::add_header(&exchange->answer, "allow", "GET, HEAD, POST, DELETE");
    }
}

}  // namespace aegis::handle

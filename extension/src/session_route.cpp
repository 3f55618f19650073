// SPDX-License-Identifier: Apache-2.0
// /api/session: POST signs in, GET says who is signed in, DELETE signs out. Below it, what a
// challenge asks for, and the confirmation of a session.
#include "session_route.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "issuer_sign_in.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "step_up.hpp"
#include "user.hpp"

namespace aegis::handle {

namespace {

constexpr char kPath[] = "/api/session";
constexpr char kChallengePath[] = "/api/session/challenge";
constexpr char kEnrolmentPath[] = "/api/session/enrolment";
constexpr char kStepUpPath[] = "/api/session/step-up";
constexpr size_t kBodyLimit = 4096;
constexpr char kClearCookie[] = "__Host-aegis=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

pg::Statement find_tenant = {
    "SELECT t.slug, t.name FROM aegis.tenant t WHERE t.id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

void send_json(http::Answer *answer, const StringInfoData &json) {
    answer->body = {reinterpret_cast<uint8_t *>(json.data), static_cast<size_t>(json.len)};
    http::add_header(answer, "content-type", "application/json");
}

// {"expires_at": …, "user": {…}, "tenant": {…}} and the token when asked for.
void describe(http::Answer *answer, const pg_uuid_t &tenant, const pg_uuid_t &user, int rank,
              TimestampTz expires_at, const char *token, Datum recovery_codes = 0) {
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
    if (recovery_codes != 0) {
        Datum *codes;
        int count;
        deconstruct_array(DatumGetArrayTypeP(recovery_codes), TEXTOID, -1, false, TYPALIGN_INT,
                          &codes, nullptr, &count);
        for (int i = 0; i < count; i++) {
            appendStringInfoString(&json, i == 0 ? ", \"recovery_codes\": [" : ", ");
            escape_json(&json, TextDatumGetCString(codes[i]));
        }
        appendStringInfoChar(&json, ']');
    }
    appendStringInfoChar(&json, '}');
    send_json(answer, json);
}

}  // namespace

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

void send_row(http::Answer *answer, const char *const (*members)[2], int count) {
    StringInfoData json;
    initStringInfo(&json);
    for (int i = 0; i < count; i++) {
        appendStringInfo(&json, "%s\"%s\": ", i == 0 ? "{" : ", ", members[i][0]);
        escape_json(&json, members[i][1]);
    }
    appendStringInfoChar(&json, '}');
    send_json(answer, json);
}

Jsonb *read_body(Exchange *exchange, const char *path) {
    // A page of another site must not sign its visitor in as somebody else.
    if (!http::is_same_origin(exchange->headers, true)) {
        deny(exchange, http::kCrossSite, path, "cross-site");
        return nullptr;
    }
    if (!accept_body(exchange, kBodyLimit)) return nullptr;
    Jsonb *body = parse_body(exchange);
    if (exchange->answer.status != 0) return nullptr;
    if (body == nullptr || !JB_ROOT_IS_OBJECT(body)) {
        refuse(exchange, http::kMalformedBody, "the body must be an object");
        return nullptr;
    }
    return body;
}

bool end_attempt(Exchange *exchange, const char *what, ErrorData *error) {
    if (error == nullptr) return true;
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) ReThrowError(error);
    http::set_problem_of_error(&exchange->answer, *error, exchange->request_id);
    // As for every handler: the text may quote what was typed.
    bool development = strcmp(guc::environment, "development") == 0;
    ereport(exchange->answer.status < 500 ? DEBUG1 : LOG,
            (errcode(error->sqlerrcode), errhidestmt(true), errhidecontext(true),
             errmsg("%s failed with SQLSTATE %s", what, unpack_sql_state(error->sqlerrcode)),
             errdetail_log(
                 "Request %s%s%s.", exchange->request_id ? exchange->request_id : "without id",
                 development ? ": " : "", development && error->message ? error->message : "")));
    return false;
}

void send_result(Exchange *exchange, const sign_in::Result &result, const http::Problem &failed,
                 bool token_too) {
    http::Answer *answer = &exchange->answer;
    switch (result.outcome) {
        case sign_in::Outcome::failed:
            refuse(exchange, result.unknown ? http::kChallengeInvalid : failed);
            return;
        case sign_in::Outcome::busy:
            refuse(exchange, http::kBusy);
            http::add_header(answer, "retry-after", psprintf("%d", result.retry_after));
            return;
        case sign_in::Outcome::challenge: {
            char expires[MAXDATELEN + 1];
            int utc = 0;
            JsonEncodeDateTime(expires, TimestampTzGetDatum(result.expires_at), TIMESTAMPTZOID,
                               &utc);
            const char *const members[][2] = {
                {"challenge", result.token}, {"due", result.due.first()}, {"expires_at", expires}};
            answer->status = 200;
            send_row(answer, members, lengthof(members));
            return;
        }
        case sign_in::Outcome::success:
            break;
    }
    answer->status = 201;
    describe(answer, result.tenant, result.user, result.rank, result.expires_at,
             token_too ? result.token : nullptr, result.recovery_codes);
    http::add_header(
        answer, "set-cookie",
        psprintf("%s=%s; Path=/; Secure; HttpOnly; SameSite=Lax", http::kCookieName, result.token));
}

sign_in::Origin origin_of(const Exchange &exchange) {
    return {exchange.peer, exchange.user_agent, exchange.request_id};
}

namespace {

void start(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kPath);
    if (body == nullptr) return;
    const char *tenant = member(body, "tenant"), *email = member(body, "email"),
               *password = member(body, "password");
    if (tenant == nullptr || email == nullptr || password == nullptr) {
        refuse(exchange, http::kInvalid, "tenant, email and password must be strings");
        return;
    }
    sign_in::Request request = {tenant, email, pg::view_of(password), origin_of(*exchange)};
    sign_in::Result result;
    if (run_attempt(exchange, "sign-in", [&] { sign_in::attempt(request, &result); }))
        send_result(exchange, result, http::kInvalidCredentials, wants_token(body));
}

void answer_challenge(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kChallengePath);
    if (body == nullptr) return;
    const char *challenge = member(body, "challenge"), *code = member(body, "code"),
               *password = member(body, "password");
    if (challenge == nullptr || (code == nullptr) == (password == nullptr)) {
        refuse(exchange, http::kInvalid, "challenge, and either code or password, must be strings");
        return;
    }
    sign_in::Answer answer = {pg::view_of(challenge), code, {}, origin_of(*exchange)};
    if (password != nullptr) answer.password = pg::view_of(password);
    sign_in::Result result;
    if (run_attempt(exchange, "answer to a challenge", [&] { sign_in::answer(answer, &result); }))
        send_result(exchange, result, http::kNotConfirmed, wants_token(body));
}

void begin_enrolment(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kEnrolmentPath);
    if (body == nullptr) return;
    const char *challenge = member(body, "challenge");
    if (challenge == nullptr) {
        refuse(exchange, http::kInvalid, "challenge must be a string");
        return;
    }
    sign_in::Enrolment enrolment;
    bool found = false;
    auto begin = [&] { found = sign_in::begin_enrolment(pg::view_of(challenge), &enrolment); };
    if (!run_attempt(exchange, "enrolment", begin)) return;
    if (!found) {
        refuse(exchange, http::kChallengeInvalid);
        return;
    }
    const char *const members[][2] = {
        {"secret", enrolment.secret}, {"uri", enrolment.uri}, {"qr", enrolment.qr}};
    exchange->answer.status = 200;
    send_row(&exchange->answer, members, lengthof(members));
}

void confirm(Exchange *exchange) {
    if (!authenticate(exchange, kStepUpPath)) return;
    Jsonb *body = read_body(exchange, kStepUpPath);
    if (body == nullptr) return;
    const char *code = member(body, "code"), *password = member(body, "password");
    if ((code == nullptr) == (password == nullptr)) {
        refuse(exchange, http::kInvalid, "either code or password must be a string");
        return;
    }
    core::ByteView shown;
    if (password != nullptr) shown = pg::view_of(password);
    sign_in::Result result;
    if (!run_attempt(exchange, "confirmation", [&] { step_up::attempt(code, shown, &result); }))
        return;
    if (result.outcome == sign_in::Outcome::success)
        exchange->answer.status = 204;
    else
        send_result(exchange, result, http::kNotConfirmed, false);
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
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    const char *elsewhere = nullptr;
    bool cookie = exchange->credential.source == http::Source::cookie;
    if (cookie) elsewhere = issuer::sign_out_url(exchange->session.id, memory);
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
    // A browser that signed in at an issuer still is signed in there.
    if (elsewhere != nullptr) {
        const char *const members[][2] = {{"url", elsewhere}};
        exchange->answer.status = 200;
        send_row(&exchange->answer, members, lengthof(members));
    }
    if (cookie) http::add_header(&exchange->answer, "set-cookie", kClearCookie);
}

struct Place {
    const char *path;
    void (*post)(Exchange *);
};
const Place kPlaces[] = {{kPath, start},
                         {kChallengePath, answer_challenge},
                         {kEnrolmentPath, begin_enrolment},
                         {kStepUpPath, confirm},
                         {kIssuerPath, begin_at_issuer},
                         {kIssuerCodePath, take_issuer_code},
                         {kIssuerResultPath, fetch_issuer_result}};

const Place *find_place(const char *path) {
    for (const Place &place : kPlaces)
        if (strcmp(place.path, path) == 0) return &place;
    return nullptr;
}

}  // namespace

bool is_session_route(const char *path) {
    return find_place(path) != nullptr;
}

void answer_session(Exchange *exchange) {
    const Place *place = find_place(exchange->target.path);
    const char *method = exchange->method;
    bool whole = place->post == start;
    if (strcmp(method, "POST") == 0) {
        place->post(exchange);
    } else if (whole && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)) {
        show(exchange);
    } else if (whole && strcmp(method, "DELETE") == 0) {
        finish(exchange);
    } else {
        refuse(exchange, http::kMethodNotAllowed);
        http::add_header(&exchange->answer, "allow", whole ? "GET, HEAD, POST, DELETE" : "POST");
    }
}

}  // namespace aegis::handle

// SPDX-License-Identifier: Apache-2.0
// Expected failures are answers, never errors: an error would roll back what the request must leave
// behind, such as a counted sign-in or the entry of a denial.
#include "handle.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "idempotency.hpp"
#include "issuer.hpp"
#include "json_body.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/subtransaction.hpp"
#include "scrub.hpp"
#include "step_up.hpp"
#include "upstream.hpp"

namespace aegis::handle {

namespace {

const char *const kWatchScope = "metrics:read";

const char *const kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

bool is_method(const char *method) {
    for (const char *known : kMethods)
        if (strcmp(method, known) == 0) return true;
    return false;
}

bool is_safe(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void refuse_method(Exchange *exchange, const char *allow) {
    refuse(exchange, http::kMethodNotAllowed);
    http::add_header(&exchange->answer, "allow", allow);
}

bool authenticate_for(Exchange *exchange, const route::Route &route) {
    http::Source source = exchange->credential.source;
    if (source == http::Source::none) {
        refuse(exchange, http::kMissingCredential);
        return false;
    }
    bool signature = source == http::Source::signature;
    uint8_t kind = signature                       ? route::kService
                   : source == http::Source::token ? route::kToken
                                                   : route::kSession;
    if ((route.credentials & kind) == 0) {
        refuse(exchange, http::kCredentialKind);
        return false;
    }
    return signature ? authenticate_service(exchange, route.path, route.scope)
                     : authenticate(exchange, route.path);
}

void answer_route(Exchange *exchange) {
    route::Match match;
    route::find(exchange->method, exchange->target, &match);
    if (match.route == nullptr) {
        if (match.allow != nullptr)
            refuse_method(exchange, match.allow);
        else
            refuse(exchange, http::kNotFound);
        return;
    }
    const route::Route &found = *match.route;
    exchange->withheld = found.withheld;
    bool webhook = (found.credentials & route::kWebhook) != 0;
    bool link = (found.credentials & route::kLink) != 0;
    // What ended a session or a link, or used a nonce up, may not have arrived here.
    if (RecoveryInProgress() && (!found.is_public || webhook || link)) {
        refuse(exchange, http::kUnavailable);
        return;
    }
    // A provider may send a field Authorization of its own; here it counts for nothing.
    if (!webhook && !link && !http::find_credential(exchange->headers, &exchange->credential)) {
        refuse(exchange, http::kAmbiguousCredential);
        return;
    }
    if (webhook) {
        if (!authenticate_webhook(exchange, match)) return;
    } else if (link) {
        if (!authenticate_link(exchange, found.scope)) return;
    } else if (!found.is_public) {
        if (!authenticate_for(exchange, found)) return;
        if (exchange->rank < found.minimum_rank) {
            deny(exchange, http::kForbidden, found.path, "rank");
            return;
        }
        // A route may ask for less than the setting, never for more.
        if (found.step_up > 0 && exchange->credential.source != http::Source::signature &&
            !step_up::is_recent(exchange->session.confirmed_at,
                                Min(found.step_up, guc::step_up_seconds))) {
            refuse(exchange, http::kStepUpRequired);
            return;
        }
    }
    if (!accept_body(exchange, static_cast<size_t>(found.body_limit))) return;
    idempotency::Key key;
    if (found.upstream != nullptr) {
        upstream::forward(exchange, match);
        record_event(*exchange, found, -1);  // that it was signed is charged
    } else if (webhook) {
        call_handler(exchange, match);  // a provider's message is taken once by its own id
    } else if (idempotency::begin(exchange, found, &key)) {
        call_handler(exchange, match);
        idempotency::keep(*exchange, found, key);
    }
    // Last, so that the row is locked only until the commit.
    if (exchange->session.touch_due) session::touch(exchange->session.id);
}

// The gateway holds no secret of a service: it asks here whether a signed caller may see what it
// then says of itself, and gives away nothing unless this answers 204.
void answer_watcher(Exchange *exchange) {
    if (!is_safe(exchange->method)) {
        refuse_method(exchange, "GET, HEAD");
        return;
    }
    // What used a nonce up may not have arrived here.
    if (RecoveryInProgress()) {
        refuse(exchange, http::kUnavailable);
        return;
    }
    if (!http::find_credential(exchange->headers, &exchange->credential)) {
        refuse(exchange, http::kAmbiguousCredential);
        return;
    }
    route::Route watch{};
    watch.method = exchange->method;
    watch.path = exchange->target.path;
    watch.credentials = route::kService;
    watch.scope = kWatchScope;
    if (authenticate_for(exchange, watch) && accept_body(exchange, 0))
        exchange->answer.status = 204;
}

void answer_request(Exchange *exchange) {
    if (exchange->method == nullptr || !is_method(exchange->method)) {
        refuse_method(exchange, "GET, HEAD, POST, PUT, PATCH, DELETE");
        return;
    }
    if (is_watch_route(exchange->target.path))
        answer_watcher(exchange);
    else if (!is_session_route(exchange->target.path))
        answer_route(exchange);
    else if (RecoveryInProgress())
        refuse(exchange, http::kUnavailable);
    else if (http::find_credential(exchange->headers, &exchange->credential))
        answer_session(exchange);
    else
        refuse(exchange, http::kAmbiguousCredential);
}

bool is_json(const char *content_type) {
    if (content_type == nullptr) return false;
    size_t length = strcspn(content_type, "; \t");
    return length == strlen("application/json") &&
           pg_strncasecmp(content_type, "application/json", length) == 0;
}

}  // namespace

bool is_watch_route(const char *path) {
    return strcmp(path, "/api/health") == 0 || strcmp(path, "/api/metrics") == 0;
}

void refuse(Exchange *exchange, const http::Problem &problem, const char *detail) {
    http::set_problem(&exchange->answer, problem, exchange->request_id, detail);
}

void refuse_elsewhere(Exchange *exchange, bool moved, const char *region) {
    refuse(exchange, moved ? http::kMoved : http::kMisdirected,
           psprintf("tenant %s region \"%s\"", moved ? "moved to" : "belongs to", region));
    http::add_header(&exchange->answer, http::kRegionHeader, region);
}

void deny(Exchange *exchange, const http::Problem &problem, const char *path, const char *reason) {
    const context::Context *context = context::current();
    static const pg_uuid_t nil = {};
    char *target = psprintf("%s %s", exchange->method, path);
    bool of_tenant = context != nullptr && !exchange->withheld;
    int slot = charge::open({charge::Kind::denial, "auth.denied", of_tenant ? context->tenant : nil,
                             context ? context->user : nil, 0, target, reason});
    uint8_t detail[128];
    ledger::DetailPair pair = {"reason", reason, 0};
    ledger::Event entry = {"auth.denied"};
    if (exchange->withheld) entry.tenant = &nil;
    entry.outcome = core::Outcome::denied;
    entry.target_kind = "route";
    entry.target_id = target;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    if (context == nullptr) {
        entry.ip = exchange->peer;
        entry.user_agent = exchange->user_agent;
        entry.request_id = exchange->request_id;
    }
    ledger::append(entry);
    charge::settle(slot);
    refuse(exchange, problem);
}

namespace {

// A token of an issuer is judged with what it claims; false: the answer says why.
bool judge_token(Exchange *exchange, session::Verdict *verdict) {
    issuer::Origin origin = {exchange->peer, exchange->user_agent, exchange->request_id};
    switch (issuer::verify(exchange->credential.token, origin, &exchange->session, verdict)) {
        case issuer::Verdict::user:
            return true;
        case issuer::Verdict::invalid:
            refuse(exchange, http::kTokenInvalid);
            break;
        case issuer::Verdict::no_rank:
            refuse(exchange, http::kForbidden);
            break;
        case issuer::Verdict::factor_due:
            refuse(exchange, http::kSecondFactorRequired);
            break;
        case issuer::Verdict::busy:
            refuse(exchange, http::kRetry);
            break;
        case issuer::Verdict::not_charged:
            refuse(exchange, http::kUnavailable);
            break;
    }
    return false;
}

}  // namespace

bool authenticate(Exchange *exchange, const char *path) {
    const http::Credential &credential = exchange->credential;
    session::Verdict verdict = session::Verdict::invalid;
    if (credential.source == http::Source::none) {
        refuse(exchange, http::kMissingCredential);
        return false;
    }
    if (credential.source == http::Source::signature) {
        refuse(exchange, http::kCredentialKind);
        return false;
    }
    if (credential.source != http::Source::token)
        verdict = session::verify(pg::view_of(credential.token), &exchange->session);
    else if (!judge_token(exchange, &verdict))
        return false;
    if (verdict == session::Verdict::moved || verdict == session::Verdict::misdirected) {
        refuse_elsewhere(exchange, verdict == session::Verdict::moved, exchange->session.region);
        return false;
    }
    if (verdict != session::Verdict::valid) {
        refuse(exchange, verdict == session::Verdict::superseded ? http::kSessionSuperseded
                                                                 : http::kSessionInvalid);
        if (credential.source == http::Source::cookie)
            http::add_header(&exchange->answer, "set-cookie",
                             "__Host-aegis=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        return false;
    }
    int retry_after;
    if (!limit::take_request(exchange->session.tenant, exchange->session.user,
                             exchange->session.limits, false, &retry_after)) {
        refuse(exchange, http::kQuotaExceeded);
        http::add_header(&exchange->answer, "retry-after", psprintf("%d", retry_after));
        return false;
    }
    exchange->rank = exchange->session.rank;
    session::establish(exchange->session, exchange->peer, exchange->user_agent,
                       exchange->request_id);
    // A browser sends the cookie with requests that other sites' pages make; nothing else does.
    if (credential.source == http::Source::cookie && !is_safe(exchange->method) &&
        !http::is_same_origin(exchange->headers, false)) {
        deny(exchange, http::kCrossSite, path, "cross-site");
        return false;
    }
    return true;
}

bool is_at_home(Exchange *exchange, const pg_uuid_t &tenant, tenant::Home *home) {
    switch (tenant::find_home(tenant, home)) {
        case tenant::Place::here:
            return true;
        case tenant::Place::inactive:
            // Whoever comes again finds what was not lost with a suspension: providers do.
            refuse(exchange, http::kUnavailable);
            return false;
        case tenant::Place::moved:
            refuse_elsewhere(exchange, true, home->region);
            return false;
        case tenant::Place::misdirected:
            break;
    }
    refuse_elsewhere(exchange, false, home->region);
    return false;
}

bool accept_body(Exchange *exchange, size_t limit) {
    if (exchange->body.size == 0) return true;
    if (is_safe(exchange->method)) {
        refuse(exchange, http::kMalformedRequest, "a request of this method has no body");
        return false;
    }
    if (exchange->body.size > limit) {
        refuse(exchange, http::kBodyTooLarge);
        return false;
    }
    if (!is_json(http::header(exchange->headers, "content-type"))) {
        refuse(exchange, http::kUnsupportedMediaType);
        return false;
    }
    return true;
}

Jsonb *parse_body(Exchange *exchange) {
    if (exchange->body.size == 0) return nullptr;
    Jsonb *parsed = nullptr;
    core::ByteView body = exchange->body;
    auto parse = [&] { parsed = http::parse_json_body(body); };
    if (ErrorData *error = pg::try_in_subtransaction(parse)) {
        if (error->sqlerrcode == ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE)
            refuse(exchange, http::kDuplicateKey);
        else if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == MAKE_SQLSTATE('2', '2', '0', '0', '0') ||
                 ERRCODE_TO_CATEGORY(error->sqlerrcode) == MAKE_SQLSTATE('5', '4', '0', '0', '0'))
            refuse(exchange, http::kMalformedBody,
                   error->detail != nullptr ? error->detail : error->message);
        else
            ReThrowError(error);
        return nullptr;
    }
    return parsed;
}

}  // namespace aegis::handle

namespace {

using aegis::handle::Exchange;

Datum to_tuple(const Exchange &exchange) {
    const aegis::http::Answer &answer = exchange.answer;
    Datum *texts = static_cast<Datum *>(palloc(sizeof(Datum) * 2 * (answer.header_count + 1)));
    int count = 0;
    for (int i = 0; i < answer.header_count; i++) {
        texts[count++] = CStringGetTextDatum(answer.headers[i].name);
        texts[count++] = CStringGetTextDatum(answer.headers[i].value);
    }
    // HEAD is answered like GET, without the body.
    aegis::core::ByteView body = answer.body;
    if (exchange.method != nullptr && strcmp(exchange.method, "HEAD") == 0) body.size = 0;
    Datum values[] = {
        Int32GetDatum(answer.status),
        PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT)),
        PointerGetDatum(aegis::pg::copy_varlena(body))};
    bool nulls[3] = {};
    TupleDesc desc = lookup_rowtype_tupdesc(aegis::route::answer_type(), -1);
    Datum row = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
    ReleaseTupleDesc(desc);
    return row;
}

}  // namespace

AEGIS_FUNCTION(aegis_handle) {
    // Whoever could roll a request back would get its answer without its traces.
    PreventInTransactionBlock(true, "aegis.handle()");
    auto argument = [&](int n) {
        return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
    };
    Exchange *exchange = static_cast<Exchange *>(palloc0(sizeof(Exchange)));
    exchange->method = argument(0);
    exchange->peer = argument(4);
    // It is recorded; the gateway lets none through that looks like a card number, if it is ours.
    exchange->request_id = argument(5);
    if (exchange->request_id != nullptr)
        if (text *clean = aegis::scrub::scrubbed(aegis::pg::view_of(exchange->request_id)))
            exchange->request_id = text_to_cstring(clean);
    if (!PG_ARGISNULL(3)) exchange->body = aegis::pg::varlena_view(PG_GETARG_DATUM(3));
    const char *target = exchange->raw_target = argument(1);

    if (!aegis::http::read_headers(PG_ARGISNULL(2) ? nullptr : PG_GETARG_ARRAYTYPE_P(2),
                                   &exchange->headers)) {
        aegis::handle::refuse(exchange, aegis::http::kMalformedRequest,
                              "headers are not a list of names and values");
    } else if (const char *fault = aegis::http::parse_target(
                   aegis::pg::view_of(target ? target : ""), &exchange->target)) {
        aegis::handle::refuse(exchange, aegis::http::kMalformedTarget, fault);
    } else {
        exchange->user_agent = aegis::http::header(exchange->headers, "user-agent");
        aegis::charge::set_origin(exchange->peer, exchange->user_agent, exchange->request_id);
        aegis::handle::answer_request(exchange);
    }
    if (aegis::http::find_header(exchange->answer, "cache-control") == nullptr)
        aegis::http::add_header(&exchange->answer, "cache-control", "no-store");
    return to_tuple(*exchange);
}

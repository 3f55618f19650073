// SPDX-License-Identifier: Apache-2.0
#include "upstream.hpp"

#include "context.hpp"
#include "pg/function.hpp"
#include "pg/subtransaction.hpp"
#include "scrub.hpp"
#include "service.hpp"
#include "user.hpp"

namespace aegis::upstream {

namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != nullptr);
}

void append_escaped(StringInfo url, const char *segment) {
    for (const char *at = segment; *at != '\0'; at++) {
        if (is_unreserved(*at))
            appendStringInfoChar(url, *at);
        else
            appendStringInfo(url, "%%%02X", static_cast<unsigned char>(*at));
    }
}

const char *parameter(const route::Match &match, const char *name, size_t length) {
    for (int i = 0; i < match.parameter_count; i++)
        if (strlen(match.parameters[i].name) == length &&
            strncmp(match.parameters[i].name, name, length) == 0)
            return match.parameters[i].value;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the path of an upstream names a parameter that the route lacks")));
    pg_unreachable();
}

// What the caller wrote into the path can fill a segment, and never make another one.
const char *url_of(const handle::Exchange &exchange, const route::Match &match) {
    StringInfoData url;
    initStringInfo(&url);
    appendStringInfoString(&url, match.route->address);
    for (const char *at = match.route->forward_path; *at != '\0';) {
        size_t plain = strcspn(at, "{");
        appendBinaryStringInfo(&url, at, static_cast<int>(plain));
        at += plain;
        if (*at != '{') break;
        size_t length = strcspn(++at, "}");
        append_escaped(&url, parameter(match, at, length));
        at += length + 1;
    }
    const char *query = strchr(exchange.raw_target, '?');
    if (query != nullptr) appendStringInfoString(&url, query);
    return url.data;
}

// A dictionary of RFC 8941; every value is ours, but the request's id, which may be anything.
const char *caller_of(const handle::Exchange &exchange) {
    StringInfoData text;
    initStringInfo(&text);
    char id[37];
    const context::Context *context = context::current();
    if (context != nullptr) {
        user::format(context->tenant, id);
        appendStringInfo(&text, "tenant=\"%s\", ", id);
    }
    bool signature = exchange.credential.source == http::Source::signature;
    user::format(signature ? exchange.service.id : exchange.session.user, id);
    appendStringInfo(&text, "%s=\"%s\", rank=%d", signature ? "service" : "user", id,
                     exchange.rank);
    const char *request = exchange.request_id;
    if (request == nullptr || *request == '\0' || strlen(request) > 64) return text.data;
    for (const char *at = request; *at != '\0'; at++)
        if (!is_unreserved(*at)) return text.data;
    appendStringInfo(&text, ", request=\"%s\"", request);
    return text.data;
}

struct Order {
    const char *url, *caller;
    service::Outbound fields;
};

void sign(const handle::Exchange &exchange, const route::Match &match, Order *order) {
    order->url = url_of(exchange, match);
    order->caller = caller_of(exchange);
    core::HttpRequest request{};
    request.method = match.route->method;
    request.content = exchange.body;
    service::split_url(order->url, &request);
    service::sign(match.route->service, request, order->caller, &order->fields);
}

}  // namespace

void forward(handle::Exchange *exchange, const route::Match &match) {
    // As for every handler: what is no JSON, or holds card data, goes no further.
    (void)handle::parse_body(exchange);
    if (exchange->answer.status != 0) return;
    if (scrub::scrubbed(exchange->body) != nullptr ||
        scrub::scrubbed(pg::view_of(exchange->raw_target)) != nullptr) {
        handle::refuse(exchange, http::kPanDetected);
        return;
    }
    auto *order = static_cast<Order *>(palloc0(sizeof(Order)));
    MemoryContext memory = CurrentMemoryContext;
    auto body = [&] {
        MemoryContext inner = MemoryContextSwitchTo(memory);
        sign(*exchange, match, order);
        MemoryContextSwitchTo(inner);
    };
    if (ErrorData *error = pg::try_in_subtransaction(body)) {
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) ReThrowError(error);
        // Without a service there is nobody to sign for; its absence is nothing of the caller's.
        if (error->sqlerrcode == ERRCODE_NO_DATA_FOUND)
            handle::refuse(exchange, http::kUnavailable);
        else
            http::set_problem_of_error(&exchange->answer, *error, exchange->request_id);
        ereport(LOG, (errcode(error->sqlerrcode), errhidestmt(true), errhidecontext(true),
                      errmsg("request to upstream \"%s\" failed with SQLSTATE %s",
                             match.route->upstream, unpack_sql_state(error->sqlerrcode))));
        return;
    }
    http::Answer *answer = &exchange->answer;
    answer->status = 200;
    http::add_header(answer, "aegis-upstream", match.route->upstream);
    http::add_header(answer, "aegis-url", order->url);
    http::add_header(answer, "aegis-caller", order->caller);
    if (order->fields.digest[0] != '\0')
        http::add_header(answer, "content-digest", order->fields.digest);
    http::add_header(answer, "signature-input", order->fields.input);
    http::add_header(answer, "signature", order->fields.signature);
}

}  // namespace aegis::upstream

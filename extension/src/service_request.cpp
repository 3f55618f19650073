// SPDX-License-Identifier: Apache-2.0
// A signed request on its way through aegis.handle.
#include "core/http_signature.hpp"

#include "handle.hpp"

#include "context.hpp"
#include "pg/function.hpp"
#include "service.hpp"

namespace aegis::handle {

namespace {

// What the gateway received; TLS is all it speaks.
core::HttpRequest view_of(const Exchange &exchange) {
    core::HttpField *fields = static_cast<core::HttpField *>(
        palloc0(sizeof(core::HttpField) * (exchange.headers.count + 1)));
    core::HttpRequest request{};
    for (int i = 0; i < exchange.headers.count; i++) {
        const http::Pair &pair = exchange.headers.items[i];
        fields[i].name = {pair.name, strlen(pair.name)};
        fields[i].value = {pair.value, strlen(pair.value)};
        if (strcmp(pair.name, "host") == 0) request.authority = fields[i].value;
    }
    request.method = {exchange.method, strlen(exchange.method)};
    request.scheme = "https";
    request.target = {exchange.raw_target, strlen(exchange.raw_target)};
    request.fields = fields;
    request.field_count = static_cast<size_t>(exchange.headers.count);
    request.content = exchange.body;
    return request;
}

void ask_for_signature(Exchange *exchange) {
    // RFC 9421 section 5.1: what a signature would have to be.
    http::add_header(&exchange->answer, "accept-signature",
                     "aegis=(\"@method\" \"@target-uri\" \"content-digest\");created;nonce;keyid;"
                     "alg=\"hmac-sha256\";tag=\"aegis\"");
}

void refuse_for_now(Exchange *exchange, int seconds) {
    refuse(exchange, http::kUnavailable);
    http::Answer &answer = exchange->answer;
    for (int i = 0; i < answer.header_count; i++)
        if (strcmp(answer.headers[i].name, "retry-after") == 0)
            answer.headers[i].value = psprintf("%d", seconds);
}

}  // namespace

bool authenticate_service(Exchange *exchange, const char *path, const char *scope) {
    service::Service &service = exchange->service;
    switch (service::verify(view_of(*exchange), &service)) {
        case service::Verdict::valid:
            break;
        case service::Verdict::invalid:
            refuse(exchange, http::kSignatureInvalid);
            ask_for_signature(exchange);
            return false;
        case service::Verdict::replayed:
            // Told apart in the ledger alone: somebody has a request that was not theirs to send.
            deny(exchange, http::kSignatureInvalid, path, "replay");
            ask_for_signature(exchange);
            return false;
        case service::Verdict::not_ready:
            refuse_for_now(exchange, service.retry_after);
            return false;
        case service::Verdict::moved:
            refuse_elsewhere(exchange, true, service.region);
            return false;
        case service::Verdict::misdirected:
            refuse_elsewhere(exchange, false, service.region);
            return false;
    }
    exchange->rank = service.rank;
    if (service::has_tenant(service)) {
        const pg_uuid_t nobody{};
        int retry_after;
        if (!limit::take_request(service.tenant, nobody, service.limits, false, &retry_after)) {
            refuse(exchange, http::kQuotaExceeded);
            http::add_header(&exchange->answer, "retry-after", psprintf("%d", retry_after));
            return false;
        }
        service::establish(service, exchange->peer, exchange->user_agent, exchange->request_id);
    }
    if (scope == nullptr || !service::has_scope(service, scope)) {
        deny(exchange, http::kForbidden, path, "scope");
        return false;
    }
    return true;
}

}  // namespace aegis::handle

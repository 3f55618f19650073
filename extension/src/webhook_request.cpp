// SPDX-License-Identifier: Apache-2.0
// A webhook on its way through aegis.handle: its signature is its credential.
#include "core/webhook_signature.hpp"

#include "handle.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "pg/function.hpp"
#include "webhook.hpp"

namespace aegis::handle {

namespace {

const char *parameter(const route::Match &match, const char *name) {
    for (int i = 0; i < match.parameter_count; i++)
        if (strcmp(match.parameters[i].name, name) == 0) return match.parameters[i].value;
    return "";
}

// As it is written in a path: an id has one spelling there.
bool read_id(const char *text, pg_uuid_t *id) {
    if (strlen(text) != 36) return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !digit) return false;
    }
    *id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
    return true;
}

// Nothing is stored but an entry, which many in a short time share: anybody can send this.
void reject(Exchange *exchange, const webhook::Endpoint &endpoint, core::WebhookVerdict verdict) {
    const pg_uuid_t nobody{};
    char *target =
        psprintf("%s/%s", endpoint.provider,
                 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&endpoint.id))));
    charge::note({charge::Kind::denial, "webhook.rejected", endpoint.tenant, nobody, 0, target,
                  core::webhook_verdict_word(verdict)});
    refuse(exchange, http::kSignatureInvalid);
}

}  // namespace

bool authenticate_webhook(Exchange *exchange, const route::Match &match) {
    webhook::Endpoint endpoint;
    pg_uuid_t id;
    if (!read_id(parameter(match, "endpoint"), &id) || !webhook::find_endpoint(id, &endpoint) ||
        !endpoint.in_use || strcmp(endpoint.provider, parameter(match, "provider")) != 0) {
        refuse(exchange, http::kNotFound);
        return false;
    }
    core::WebhookVerdict verdict = webhook::verify(endpoint, exchange->headers, exchange->body);
    if (verdict != core::WebhookVerdict::valid) {
        reject(exchange, endpoint, verdict);
        return false;
    }
    tenant::Home home;
    if (!is_at_home(exchange, endpoint.tenant, &home)) return false;
    const pg_uuid_t nobody{};
    int retry_after;
    if (!limit::take_request(endpoint.tenant, nobody, home.limits, false, &retry_after)) {
        refuse(exchange, http::kQuotaExceeded);
        http::add_header(&exchange->answer, "retry-after", psprintf("%d", retry_after));
        return false;
    }
    webhook::establish(endpoint, home, exchange->peer, exchange->user_agent, exchange->request_id);
    return true;
}

}  // namespace aegis::handle

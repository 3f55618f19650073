// SPDX-License-Identifier: Apache-2.0
// Webhooks of payment providers: endpoints of tenants, their sealed secrets, and the context that a
// verified one gives. docs/webhook.md.
#pragma once

#include "core/webhook_signature.hpp"
#include "credential.hpp"
#include "pg/postgres.hpp"
#include "tenant_home.hpp"

namespace aegis::webhook {

inline constexpr int kMostSecrets = 2;  // of an endpoint, in use
inline constexpr int kWindowSeconds = 300;
inline constexpr size_t kMostAccountBytes = 128;
inline constexpr size_t kMostMessageIdBytes = 256;

struct Endpoint {
    pg_uuid_t id;
    pg_uuid_t tenant;
    char provider[32];
    char account[kMostAccountBytes + 1];
    char currency[4];  // of what the provider names none for; empty: it always does
    bool live;
    bool manual_capture;
    bool in_use;
    core::WebhookScheme scheme;
};

// False when there is none of this id.
bool find_endpoint(const pg_uuid_t &id, Endpoint *endpoint);

// The secret that signed is noted for aegis.verified_webhook().
core::WebhookVerdict verify(const Endpoint &endpoint, const http::Headers &headers,
                            core::ByteView body);

// Fixes the context of this transaction: all rows of the tenant, no user, no rank.
void establish(const Endpoint &endpoint, const tenant::Home &home, const char *ip,
               const char *user_agent, const char *request_id);

// The item of Adyen that is signed; false when the body is no strict JSON, or holds another number
// of them. Views of memory in the current context.
bool read_adyen_item(core::ByteView body, core::AdyenItem *item);

// One verdict over headers and body as they came.
core::WebhookVerdict judge(core::WebhookScheme scheme, std::string_view secret,
                           const http::Headers &headers, core::ByteView body, int64 now,
                           int64 tolerance);

}  // namespace aegis::webhook

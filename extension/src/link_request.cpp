// SPDX-License-Identifier: Apache-2.0
// A request with a link on its way through aegis.handle: its token is its credential, a cookie
// counts for nothing.
#include "handle.hpp"
#include "link.hpp"
#include "pg/function.hpp"

namespace aegis::handle {

namespace {

// nullptr unless there is exactly one.
const char *bearer(const http::Headers &headers) {
    const char *found = nullptr;
    for (int i = 0; i < headers.count; i++) {
        if (strcmp(headers.items[i].name, "authorization") != 0) continue;
        if (found != nullptr) return nullptr;
        found = headers.items[i].value;
    }
    if (found == nullptr || pg_strncasecmp(found, "Bearer ", 7) != 0) return nullptr;
    return found + 7;
}

}  // namespace

bool authenticate_link(Exchange *exchange, const char *kind) {
    const char *token = bearer(exchange->headers);
    if (token == nullptr) {
        refuse(exchange, http::kMissingCredential);
        return false;
    }
    link::Link link;
    if (!link::find(pg::view_of(token), kind, &link)) {
        refuse(exchange, http::kLinkInvalid);
        return false;
    }
    tenant::Home home;
    if (!is_at_home(exchange, link.tenant, &home)) return false;
    const pg_uuid_t nobody{};
    int retry_after;
    if (!limit::take_request(link.tenant, nobody, home.limits, false, &retry_after)) {
        refuse(exchange, http::kQuotaExceeded);
        http::add_header(&exchange->answer, "retry-after", psprintf("%d", retry_after));
        return false;
    }
    link::establish(link, home, exchange->peer, exchange->user_agent, exchange->request_id);
    return true;
}

}  // namespace aegis::handle

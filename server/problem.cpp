// SPDX-License-Identifier: Apache-2.0
#include "problem.hpp"

#include "json.hpp"

namespace aegis::server {

Response problem(const Refusal &refusal, std::string_view request_id, std::string_view code) {
    Response response;
    response.status = refusal.status;
    response.body = JsonObject()
                        .add("type", std::string("urn:aegis:problem:") + refusal.name)
                        .add("title", refusal.title)
                        .add("status", int64_t{refusal.status})
                        .add_some("code", code)
                        .add("request_id", request_id)
                        .text();
    response.set("content-type", "application/problem+json");
    if (refusal.status == 401) response.set("www-authenticate", "Bearer");
    if (refusal.status == 503) response.set("retry-after", "1");
    return response;
}

}  // namespace aegis::server

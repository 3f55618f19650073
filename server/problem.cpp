// SPDX-License-Identifier: Apache-2.0
#include "problem.hpp"

#include <cstdio>

namespace aegis::server {

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
            char escape[8];
            snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
            out += escape;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

Response problem(const Refusal &refusal, std::string_view request_id, std::string_view code) {
    Response response;
    response.status = refusal.status;
    response.body = "{\"type\":" + json_string(std::string("urn:aegis:problem:") + refusal.name) +
                    ",\"title\":" + json_string(refusal.title) +
                    ",\"status\":" + std::to_string(refusal.status);
    if (!code.empty()) response.body += ",\"code\":" + json_string(code);
    response.body += ",\"request_id\":" + json_string(request_id) + "}";
    response.set("content-type", "application/problem+json");
    if (refusal.status == 401) response.set("www-authenticate", "Bearer");
    if (refusal.status == 503) response.set("retry-after", "1");
    return response;
}

}  // namespace aegis::server

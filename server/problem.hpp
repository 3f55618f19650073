// SPDX-License-Identifier: Apache-2.0
// Errors as application/problem+json (RFC 9457), in the same shape as the database's own.
#pragma once

#include "response.hpp"

namespace aegis::server {

// type is "urn:aegis:problem:" name; detail and code are left out when empty. Only constant texts
// are ever passed as detail: nothing of the request or of another tenant can be in them.
Response problem(int status, std::string_view name, std::string_view detail,
                 std::string_view request_id, std::string_view code = {});

// The text as a JSON string with its quotes.
std::string json_string(std::string_view text);

}  // namespace aegis::server

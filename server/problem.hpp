// SPDX-License-Identifier: Apache-2.0
// Errors as application/problem+json (RFC 9457), in the same shape as the database's own.
#pragma once

#include "refusal.hpp"
#include "response.hpp"

namespace aegis::server {

// Only constant texts and, as code, an SQLSTATE: nothing of the request or of a tenant is in it.
Response problem(const Refusal &refusal, std::string_view request_id, std::string_view code = {});

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// The id under which a request appears in the answer, the log and the ledger.
#pragma once

#include <string>
#include <string_view>

namespace aegis::server {

// True for 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-": what we take over from a caller.
bool is_request_id(std::string_view text);
// A random UUID (version 4). Throws std::runtime_error when the system has no randomness.
std::string make_request_id();

}  // namespace aegis::server

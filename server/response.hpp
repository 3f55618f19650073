// SPDX-License-Identifier: Apache-2.0
// An answer before it is written, and the header fields that every answer of the gateway carries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aegis::server {

struct Response {
    int status = 500;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string standard;  // the lines that every answer carries, ready for the wire

    const std::string *find(std::string_view lower_case_name) const;
    void set(std::string name, std::string value);  // replaces every field of that name
};

// The standard phrase, "Unknown" for a status without one.
const char *reason(int status);

// Keeps what an answer of the database may set: known-good names and values, never framing, never
// what the gateway itself answers for. False when a field had to be refused.
bool take_headers(const std::vector<std::string> &flat, Response *response);

// Adds date, request id, the security fields, and those of caching and content security that the
// answer does not bring itself. secure: the answer leaves over TLS.
void add_standard_headers(std::string_view request_id, bool secure, Response *response);

// The whole answer as bytes. HEAD is answered with the length of a body that is left out.
std::string serialise(const Response &response, bool close, bool with_body = true);

}  // namespace aegis::server

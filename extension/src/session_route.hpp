// SPDX-License-Identifier: Apache-2.0
// What the built-in routes below /api/session share. docs/session.md.
#pragma once

#include "handle.hpp"
#include "pg/subtransaction.hpp"
#include "sign_in.hpp"

namespace aegis::handle {

inline constexpr char kIssuerPath[] = "/api/session/issuer";
inline constexpr char kIssuerCodePath[] = "/api/session/issuer/code";
inline constexpr char kIssuerResultPath[] = "/api/session/issuer/result";

// The body of a POST of our own page, an object; nullptr: the answer says what is wrong.
Jsonb *read_body(Exchange *exchange, const char *path);
// A string member of the body; nullptr when it is missing or no string.
const char *member(Jsonb *body, const char *name);
bool wants_token(Jsonb *body);

sign_in::Origin origin_of(const Exchange &exchange);
// False: the attempt failed, which is the answer.
bool end_attempt(Exchange *exchange, const char *what, ErrorData *error);
template <typename Attempt>
bool run_attempt(Exchange *exchange, const char *what, Attempt attempt) {
    return end_attempt(exchange, what, pg::try_in_subtransaction(attempt));
}

void send_row(http::Answer *answer, const char *const (*members)[2], int count);
// What became of a sign-in; `failed` is the problem of one that did not succeed.
void send_result(Exchange *exchange, const sign_in::Result &result, const http::Problem &failed,
                 bool token_too);

// POST below /api/session/issuer.
void begin_at_issuer(Exchange *exchange);
void take_issuer_code(Exchange *exchange);
void fetch_issuer_result(Exchange *exchange);

}  // namespace aegis::handle

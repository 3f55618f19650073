// SPDX-License-Identifier: Apache-2.0
// Signing in with a password: equal work and equal answers for every failure, charged before the
// password is looked at. docs/sign_in.md.
#pragma once

#include "core/session_token.hpp"
#include "pg/postgres.hpp"

namespace aegis::sign_in {

enum class Outcome {
    success,
    failed,  // wrong, unknown, delayed, locked or inactive: the answer does not tell
    busy,    // not looked at; try again after retry_after seconds
};

struct Request {
    const char *tenant;  // slug
    const char *email;
    core::ByteView password;
    const char *ip, *user_agent, *request_id;  // may be nullptr
};

struct Result {
    Outcome outcome;
    int retry_after;
    char token[core::kMaxSessionTokenBytes + 1];
    TimestampTz expires_at;
    pg_uuid_t tenant, user, session;
    int16 rank;
};

// Writes the ledger entry and, on success, replaces the live session of the user. ERROR AG007 when
// the attempt cannot be charged; every expected failure is a Result.
void attempt(const Request &request, Result *result);

}  // namespace aegis::sign_in

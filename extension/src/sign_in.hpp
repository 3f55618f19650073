// SPDX-License-Identifier: Apache-2.0
// Signing in: equal work and equal answers for every failure, charged before anything is looked at;
// a session only when nothing more is due. docs/sign_in.md.
#pragma once

#include "charge.hpp"
#include "core/session_token.hpp"
#include "ledger.hpp"
#include "pg/postgres.hpp"

namespace aegis::sign_in {

enum class Outcome {
    success,
    failed,     // wrong, unknown, delayed, locked or inactive: the answer does not tell
    busy,       // not looked at; try again after retry_after seconds
    challenge,  // the password was right, and more is due
};

using Origin = charge::Origin;

struct Request {
    const char *tenant;  // slug
    const char *email;
    core::ByteView password;
    Origin origin;
};

// What is still due of somebody whose password was right, in the order in which it is asked for.
struct Due {
    bool code, enrolment, password;
    bool any() const { return code || enrolment || password; }
    const char *first() const {
        return code ? "code" : enrolment ? "enrolment" : password ? "password" : nullptr;
    }
};

struct Result {
    Outcome outcome;
    int retry_after;
    char token[core::kMaxSessionTokenBytes + 1];  // of the session or the challenge
    TimestampTz expires_at;
    pg_uuid_t tenant, user, session;
    int16 rank;
    Due due;
    bool unknown;          // failed because there is no such challenge, or not any more
    Datum recovery_codes;  // text[], when the answer set up a second factor; else 0
};

// Writes the ledger entry and, on success, replaces the live session of the user. ERROR AG007 when
// the attempt cannot be charged; every expected failure is a Result.
void attempt(const Request &request, Result *result);

struct Answer {
    core::ByteView challenge;
    const char *code;         // nullptr: none
    core::ByteView password;  // data nullptr: none
    Origin origin;
};
// Gives what a challenge asks for. The same; also ERROR 22023 when a new password is not good
// enough or is the old one, which counts as nothing.
void answer(const Answer &answer, Result *result);

// A new second factor for a challenge that asks for one: false when there is no such challenge.
struct Enrolment {
    char *secret, *uri, *qr;
};
bool begin_enrolment(core::ByteView challenge, Enrolment *enrolment);

// Ends every challenge of a user. Inside an SPI connection as aegis_owner.
void forget_challenges(const pg_uuid_t &user);

}  // namespace aegis::sign_in

// SPDX-License-Identifier: Apache-2.0
// The second factor of a user: one-time passwords and recovery codes. All but enrolment_tuple()
// runs inside an SPI connection as aegis_owner. docs/second_factor.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::second_factor {

inline constexpr int kRecoveryCodes = 10;

struct State {
    bool active, required;
};
// `required`: the tenant wants one of this rank.
State state_of(const pg_uuid_t &tenant, const pg_uuid_t &user, int16 rank);

enum class Verdict { right, wrong, replayed };
// The word for the ledger.
const char *word(Verdict verdict);
// Verifies a code of the authenticator, or a recovery code, and uses it up: neither is taken twice.
// nullptr is wrong.
Verdict check(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *code, TimestampTz now);

// Makes a new secret, which counts once confirm() saw a code of it within a quarter of an hour: as
// base32, as otpauth address and as SVG of its QR code, in `memory`.
void begin(const pg_uuid_t &tenant, const pg_uuid_t &user, MemoryContext memory, char **secret,
           char **uri, char **qr);
// Makes the secret that was begun the user's second factor, recorded; false when there is none or
// the code is not its. Only who `replaces` may have one already.
bool confirm(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *code, TimestampTz now,
             bool replaces);
// New recovery codes in place of those before, as text[] in `memory`; recorded.
Datum renew_recovery_codes(const pg_uuid_t &tenant, const pg_uuid_t &user, MemoryContext memory);

// secret, uri and qr as the row of a function that returns them.
Datum enrolment_tuple(FunctionCallInfo fcinfo, const char *secret, const char *uri, const char *qr);

// The QR code of a text as an SVG document, dark on white, with the quiet zone that readers need.
char *draw_qr(const char *text);

}  // namespace aegis::second_factor

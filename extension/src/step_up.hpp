// SPDX-License-Identifier: Apache-2.0
// Dangerous actions want a user who has shown who they are a short while ago: a session that was
// left open, or whose token was taken, is not enough. docs/step_up.md.
#pragma once

#include "context.hpp"
#include "session.hpp"
#include "sign_in.hpp"

namespace aegis::step_up {

// Whether what was confirmed then is recent enough; seconds 0: aegis.step_up_time.
bool is_recent(TimestampTz confirmed_at, int seconds);
// ERROR AG021 unless the context's session was confirmed recently. Contexts that no session gave,
// operators' and jobs', have their own proofs.
void require(const context::Context &context, int seconds = 0);
// Before a value is opened for the context: ERROR AG021 when its session was confirmed too long ago
// and has opened aegis.bulk_reveal values since, or rather in the last aegis.step_up_time.
// That of a withheld one is the system's to know.
void count_reveal(const context::Context &context, bool withheld);

// Confirms the session of the context by a code, or by the password where its user has no second
// factor; charged and counted like a sign-in. success, failed or busy.
void attempt(const char *code, core::ByteView password, sign_in::Result *result);

}  // namespace aegis::step_up

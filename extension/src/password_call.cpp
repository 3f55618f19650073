// SPDX-License-Identifier: Apache-2.0
// The functions that SQL calls about passwords.
#include "password.hpp"

#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "session.hpp"
#include "sign_in_account.hpp"
#include "step_up.hpp"
#include "user.hpp"
#include "user_authority.hpp"
#include "user_token.hpp"

namespace {

using namespace aegis;
using context::Context;

constexpr int kFloorKib = 19456;  // OWASP's minimum, with kFloorIterations
constexpr int kFloorIterations = 2;
constexpr int kMostKib = 262144;  // more would let few sign-ins take all memory
constexpr int kMostIterations = 64;
constexpr int kSlotPatienceMs = 10000;

pg::Statement order_change = {
    "UPDATE aegis.user SET password_due = 'ordered' WHERE id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

Datum outcome_tuple(FunctionCallInfo fcinfo, const sign_in::Result &result) {
    const char *name = result.outcome == sign_in::Outcome::success  ? "success"
                       : result.outcome == sign_in::Outcome::failed ? "failed"
                                                                    : "busy";
    Datum values[] = {CStringGetTextDatum(name), Int32GetDatum(result.retry_after)};
    bool nulls[] = {false, result.outcome != sign_in::Outcome::busy};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("result is not a record")));
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

// Between the old password and the new one. What is wrong with the new one was said before: only
// the old one is a guess. The new one is hashed last, for who knows the old one: before that, a
// session that was left open could have hashes computed without end, uncharged.
void change(const Context &context, core::ByteView old, core::ByteView chosen,
            sign_in::Result *result) {
    constexpr char failed[] = "auth.step_up_failed";
    pg_uuid_t tenant = context.tenant, user = context.user, session = context.session;
    sign_in::Origin origin = {context.ip, context.user_agent, context.request_id};
    TimestampTz now = GetCurrentTimestamp();
    sign_in::Account account;
    sign_in::find_account(tenant, user, now, &account);
    int slot = charge::open(
        {charge::Kind::sign_in, "auth.step_up_abandoned", tenant, user, 0, nullptr, nullptr});
    const char *refused = sign_in::refusal(account, slot);
    bool matches;
    char rehashed[password::kEncodedBytes];
    if (!sign_in::check_password(account, old, refused == nullptr, &matches, rehashed)) {
        result->outcome = sign_in::Outcome::busy;
        result->retry_after = 2;
        sign_in::record(failed, account, origin, core::Outcome::failure, &session, "busy");
    } else if (refused != nullptr) {
        sign_in::record(failed, account, origin, core::Outcome::failure, &session, refused);
    } else if (!matches) {
        sign_in::fail(failed, account, origin, "password");
    } else {
        password::store(tenant, user, password::hash_checked(chosen, nullptr), "changed");
        sign_in::forget_challenges(user);
        // Whoever has a link to the old one's replacement would replace the new one, too.
        user_token::forget(user);
        result->outcome = sign_in::Outcome::success;
    }
    charge::settle(slot);
}

}  // namespace

AEGIS_FUNCTION(aegis_change_password) {
    const Context &context = user::require_writable();
    if (context.way != context::Way::session_token)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("the context does not come from a session")));
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("old and new password must not be null")));
    core::ByteView old = pg::varlena_view(PG_GETARG_DATUM(0)),
                   chosen = pg::varlena_view(PG_GETARG_DATUM(1));
    sign_in::Result result;
    memset(&result, 0, sizeof result);
    result.outcome = sign_in::Outcome::failed;
    // Compared with what was typed, not with what is stored: it would be a guess for nothing.
    if (core::equal_constant_time(old, chosen))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the new password is the old one"), errhint("Choose another one.")));
    bool usable = old.size > 0 && old.size <= password::kMaximumBytes;
    pg::Identity before = pg::enter();
    password::check_for(context.tenant, context.user, chosen);
    if (!usable) {
        // Never hashed, so nobody's.
    } else if (!sign_in::lock_account(context.user)) {
        result.outcome = sign_in::Outcome::busy;
        result.retry_after = 1;
    } else {
        change(context, old, chosen, &result);
    }
    pg::leave(before);
    PG_RETURN_DATUM(outcome_tuple(fcinfo, result));
}

AEGIS_FUNCTION(aegis_order_password_change) {
    const Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    step_up::require(context);
    pg::Identity before = pg::enter();
    user::require_target(context, id);
    Datum values[] = {UUIDPGetDatum(&id)};
    pg::execute(order_change, values);
    session::end(id, nullptr, "credentials_changed");
    sign_in::forget_challenges(id);
    user::record("user.password_ordered", id, nullptr, 0);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_tune_password_hash) {
    int target = PG_GETARG_INT32(0);
    if (target < 10 || target > 5000)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("target must be between 10 and 5000 milliseconds")));
    int slot;
    if (!password::take_slot(kSlotPatienceMs, &slot))
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_CONNECTIONS),
                        errmsg("too many passwords are being hashed"),
                        errhint("Try again, or raise aegis.password_concurrency.")));
    // Memory first, for that is what a guesser's hardware lacks; then passes.
    int kib = kFloorKib, iterations = kFloorIterations;
    double took = password::measure(kib, iterations);
    while (took > 0 && took * 2 <= target && kib * 2 <= kMostKib)
        took = password::measure(kib *= 2, iterations);
    if (took > 0 && took < target) {
        iterations = static_cast<int>(iterations * target / took);
        iterations = Max(kFloorIterations, Min(iterations, kMostIterations));
        if (iterations != kFloorIterations) took = password::measure(kib, iterations);
    }
    password::give_back(slot);
    if (took < 0)
        ereport(ERROR,
                (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for a password hash")));
    Datum values[] = {Int32GetDatum(kib), Int32GetDatum(iterations),
                      Int32GetDatum(static_cast<int32>(took + 0.5))};
    bool nulls[3] = {};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("result is not a record")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

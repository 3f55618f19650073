// SPDX-License-Identifier: Apache-2.0
#include "step_up.hpp"

#include "budget.hpp"
#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "second_factor.hpp"
#include "sign_in_account.hpp"
#include "user.hpp"

namespace aegis::step_up {

namespace {

constexpr char kFailed[] = "auth.step_up_failed";

// What stands against it, or what was wrong; nullptr when it is right. *busy: not looked at.
const char *verify(const sign_in::Account &account, const char *code, core::ByteView password,
                   TimestampTz now, const char *refused, bool *busy) {
    if (second_factor::state_of(account.tenant, account.user, account.rank).active) {
        if (refused != nullptr) return refused;
        second_factor::Verdict verdict =
            second_factor::check(account.tenant, account.user, code, now);
        return verdict == second_factor::Verdict::right ? nullptr : second_factor::word(verdict);
    }
    bool matches;
    char rehashed[password::kEncodedBytes];
    bool usable =
        password.data != nullptr && password.size > 0 && password.size <= password::kMaximumBytes;
    if (!usable) return refused != nullptr ? refused : "password";
    *busy = !sign_in::check_password(account, password, refused == nullptr, &matches, rehashed);
    if (refused != nullptr) return refused;
    return matches ? nullptr : "password";
}

}  // namespace

bool is_recent(TimestampTz confirmed_at, int seconds) {
    int64 most = static_cast<int64>(seconds > 0 ? seconds : guc::step_up_seconds) * USECS_PER_SEC;
    return GetCurrentTimestamp() - confirmed_at <= most;
}

void require(const context::Context &context, int seconds) {
    if (context.way != context::Way::session_token || is_recent(context.confirmed_at, seconds))
        return;
    ereport(ERROR, (errcode(AEGIS_ERRCODE_STEP_UP),
                    errmsg("this needs a fresh confirmation of who you are"),
                    errhint("Confirm with aegis.step_up(), over HTTP with POST "
                            "/api/session/step-up, then try again.")));
}

void count_reveal(const context::Context &context, bool withheld) {
    if (context.way != context::Way::session_token || guc::bulk_reveal == 0) return;
    int64 window = static_cast<int64>(guc::step_up_seconds) * USECS_PER_SEC;
    // By the time of the statement: the clock is not read for each of a million values.
    if (GetCurrentStatementStartTimestamp() - context.confirmed_at <= window ||
        budget::take_reveal(context.session, window, guc::bulk_reveal))
        return;
    charge::note_refusal("reveal", "aegis.bulk_reveal", withheld);
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_STEP_UP),
             errmsg("opening so many values needs a fresh confirmation of who you are"),
             errhint("Confirm with aegis.step_up(), over HTTP with POST /api/session/step-up, then "
                     "try again.")));
}

void attempt(const char *code, core::ByteView password, sign_in::Result *result) {
    memset(result, 0, sizeof *result);
    result->outcome = sign_in::Outcome::failed;
    const context::Context &context = context::require();
    if (context.way != context::Way::session_token)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("the context does not come from a session")));
    pg_uuid_t tenant = context.tenant, user = context.user, session = context.session;
    sign_in::Origin origin = {context.ip, context.user_agent, context.request_id};
    pg::Identity before = pg::enter();
    TimestampTz now = GetCurrentTimestamp();
    sign_in::Account account;
    if (!sign_in::lock_account(user)) {
        result->outcome = sign_in::Outcome::busy;
        result->retry_after = 1;
        pg::leave(before);
        return;
    }
    sign_in::find_account(tenant, user, now, &account);
    int slot = charge::open(
        {charge::Kind::sign_in, "auth.step_up_abandoned", tenant, user, 0, nullptr, nullptr});
    const char *refused = sign_in::refusal(account, slot);
    bool busy = false;
    const char *wrong = verify(account, code, password, now, refused, &busy);
    if (busy) {
        result->outcome = sign_in::Outcome::busy;
        result->retry_after = 2;
        sign_in::record(kFailed, account, origin, core::Outcome::failure, &session, "busy");
    } else if (wrong == nullptr) {
        user::note_success(user, nullptr);
        session::confirm(session, now);
        sign_in::record("auth.step_up", account, origin, core::Outcome::success, &session, nullptr);
        result->outcome = sign_in::Outcome::success;
    } else if (refused != nullptr) {
        sign_in::record(kFailed, account, origin, core::Outcome::failure, &session, refused);
    } else {
        sign_in::fail(kFailed, account, origin, wrong);
    }
    charge::settle(slot);
    pg::leave(before);
}

}  // namespace aegis::step_up

AEGIS_FUNCTION(aegis_step_up) {
    using aegis::sign_in::Outcome;
    const char *code = PG_ARGISNULL(0) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(0));
    aegis::core::ByteView password;
    if (!PG_ARGISNULL(1)) password = aegis::pg::varlena_view(PG_GETARG_DATUM(1));
    aegis::sign_in::Result result;
    aegis::step_up::attempt(code, password, &result);
    const char *name = result.outcome == Outcome::success  ? "success"
                       : result.outcome == Outcome::failed ? "failed"
                                                           : "busy";
    Datum values[] = {CStringGetTextDatum(name), Int32GetDatum(result.retry_after)};
    bool nulls[] = {false, result.outcome != Outcome::busy};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.step_up is not a record")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

AEGIS_FUNCTION(aegis_require_step_up) {
    const aegis::context::Context &context = aegis::context::require();
    int seconds = 0;
    if (!PG_ARGISNULL(0)) {
        const Interval *age = PG_GETARG_INTERVAL_P(0);
        if (age->month != 0 || age->day != 0 || age->time < USECS_PER_SEC ||
            age->time > USECS_PER_DAY)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("age of a confirmation must be between one second and a day")));
        seconds = static_cast<int>(age->time / USECS_PER_SEC);
    }
    aegis::step_up::require(context, seconds);
    PG_RETURN_VOID();
}

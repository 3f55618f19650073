// SPDX-License-Identifier: Apache-2.0
// The order of the steps is the point: one attempt per account at a time, then the charge, then the
// password, and only then the verdict. Unknown tenants and users walk the same way.
#include "core/normalise.hpp"
#include "sign_in_account.hpp"

#include "budget.hpp"
#include "charge.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "second_factor.hpp"
#include "suspicion.hpp"
#include "tenant.hpp"

namespace aegis::sign_in {

namespace {

constexpr size_t kMaximumEmailBytes = 320;
constexpr size_t kMaximumTenantBytes = 63;

pg::Statement find_tenant = {
    "SELECT t.id, t.status OPERATOR(pg_catalog.=) 'active', t.region, t.moved_to"
    "  FROM aegis.tenant t WHERE t.slug OPERATOR(pg_catalog.=) $1",
    1,
    {TEXTOID},
    nullptr};

// What was typed names the account.
bool lock_typed(const char *tenant, core::ByteView normalised) {
    const core::ByteView parts[] = {core::as_bytes("aegis/sign-in/1"), pg::view_of(tenant),
                                    core::as_bytes(std::string_view("\0", 1)), normalised};
    return lock_account(parts, lengthof(parts));
}

void look_up(const Request &request, core::ByteView normalised, TimestampTz now, Account *account) {
    memset(account, 0, sizeof *account);
    bool is_null;
    Datum by_slug[] = {CStringGetTextDatum(request.tenant)};
    if (pg::execute(find_tenant, by_slug) != 1) return;
    // Said before any password is looked at: it is about the tenant, not about who signs in.
    Datum moved_to = pg::column(0, 4, &is_null);
    if (!is_null) tenant::refuse_moved(TextDatumGetCString(moved_to));
    const char *region = TextDatumGetCString(pg::column(0, 3, &is_null));
    if (strcmp(region, guc::region) != 0) tenant::refuse_region("tenant", region);
    account->tenant = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    account->tenant_found = DatumGetBool(pg::column(0, 2, &is_null));
    if (!account->tenant_found) return;

    uint8_t login[32];
    // A search key that changes between the two would make a user a stranger.
    uint64 version;
    bool found;
    do {
        version = key_cache::version();
        key::login_token(account->tenant, normalised, login);
        found = find_account(account->tenant, core::ByteView(login), now, account);
    } while (!found && version != key_cache::version());
}

// What else a user owes whose password was right.
Due due_of(const Account &account) {
    second_factor::State factor =
        second_factor::state_of(account.tenant, account.user, account.rank);
    return {factor.active, factor.required && !factor.active, account.password_due};
}

}  // namespace

void attempt(const Request &request, Result *result) {
    memset(result, 0, sizeof *result);
    result->outcome = Outcome::failed;
    // Nothing beyond these lengths can be an account, and a longer password is never hashed.
    size_t email_bytes = strlen(request.email);
    if (email_bytes > kMaximumEmailBytes || strlen(request.tenant) > kMaximumTenantBytes ||
        request.password.size == 0 || request.password.size > password::kMaximumBytes)
        return;
    uint8_t buffer[kMaximumEmailBytes];
    core::ByteView normalised;
    pg::Report shape = pg::run([&] {
        normalised = {buffer,
                      core::normalise(core::Normaliser::email, pg::view_of(request.email), buffer)};
    });
    if (shape.failed) return;

    pg::Identity before = pg::enter();
    if (!lock_typed(request.tenant, normalised)) {
        result->outcome = Outcome::busy;
        result->retry_after = 1;
        pg::leave(before);
        return;
    }
    const Origin &origin = request.origin;
    charge::set_origin(origin.ip, origin.user_agent, origin.request_id);
    TimestampTz now = GetCurrentTimestamp();
    // By what was typed and where from, so that it says nothing about who exists.
    budget::Attempt attempt;
    budget::take(origin.ip, request.tenant, &attempt);
    if (attempt.refused != nullptr) {
        result->outcome = Outcome::busy;
        result->retry_after = attempt.retry_after;
        pg::leave(before);
        return;
    }
    Account account;
    look_up(request, normalised, now, &account);
    int slot = charge::open({charge::Kind::sign_in, "auth.sign_in_abandoned", account.tenant,
                             account.user, 0, nullptr, nullptr});

    const char *reason = refusal(account, slot);
    bool matches;
    char rehashed[password::kEncodedBytes];
    if (!check_password(account, request.password, reason == nullptr, &matches, rehashed)) {
        result->outcome = Outcome::busy;
        result->retry_after = 2;
        record("auth.sign_in_failed", account, origin, core::Outcome::failure, nullptr, "busy");
        budget::give_back(attempt);
    } else if (reason != nullptr) {
        record("auth.sign_in_failed", account, origin, core::Outcome::failure, nullptr, reason);
    } else if (!matches) {
        fail("auth.sign_in_failed", account, origin, "password");
    } else {
        budget::give_back(attempt);
        const char *stronger = rehashed[0] != '\0' ? rehashed : nullptr;
        Due due = due_of(account);
        due.password =
            due.password || suspicion::judge(account, origin, request.password) != nullptr;
        if (due.any())
            challenge(account, origin, now, due, stronger, result);
        else
            finish(account, origin, now, stronger, result);
    }
    charge::settle(slot);
    pg::leave(before);
}

}  // namespace aegis::sign_in

namespace {

using aegis::sign_in::Outcome;

Datum to_tuple(FunctionCallInfo fcinfo, const aegis::sign_in::Result &result, bool with_codes) {
    static const char *const names[] = {"success", "failed", "busy", "challenge"};
    Datum values[6] = {};
    bool nulls[6] = {false, true, true, true, true, true};
    values[0] = CStringGetTextDatum(names[static_cast<int>(result.outcome)]);
    if (result.outcome == Outcome::success || result.outcome == Outcome::challenge) {
        values[1] = CStringGetTextDatum(result.token);
        values[2] = TimestampTzGetDatum(result.expires_at);
        nulls[1] = nulls[2] = false;
    }
    if (result.outcome == Outcome::busy) {
        values[3] = Int32GetDatum(result.retry_after);
        nulls[3] = false;
    }
    if (result.outcome == Outcome::challenge) {
        values[4] = CStringGetTextDatum(result.due.first());
        nulls[4] = false;
    }
    if (with_codes && result.recovery_codes != 0) {
        values[5] = result.recovery_codes;
        nulls[5] = false;
    }
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.sign_in is not a record")));
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

const char *text_argument(FunctionCallInfo fcinfo, int n) {
    return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

}  // namespace

AEGIS_FUNCTION(aegis_sign_in) {
    namespace sign_in = aegis::sign_in;
    // Whoever could roll a failed attempt back would guess for free. The charge holds anyway; this
    // says so before the password is looked at, and ends an implicit transaction with the attempt.
    PreventInTransactionBlock(true, "aegis.sign_in()");

    sign_in::Request request = {};
    const char *tenant = text_argument(fcinfo, 0), *email = text_argument(fcinfo, 1);
    request.tenant = tenant ? tenant : "";
    request.email = email ? email : "";
    if (!PG_ARGISNULL(2)) request.password = aegis::pg::varlena_view(PG_GETARG_DATUM(2));
    request.origin = {text_argument(fcinfo, 3), text_argument(fcinfo, 4), text_argument(fcinfo, 5)};
    sign_in::Result result;
    sign_in::attempt(request, &result);
    PG_RETURN_DATUM(to_tuple(fcinfo, result, false));
}

AEGIS_FUNCTION(aegis_answer_challenge) {
    namespace sign_in = aegis::sign_in;
    PreventInTransactionBlock(true, "aegis.answer_challenge()");
    sign_in::Answer answer = {};
    if (!PG_ARGISNULL(0)) answer.challenge = aegis::pg::varlena_view(PG_GETARG_DATUM(0));
    answer.code = text_argument(fcinfo, 1);
    if (!PG_ARGISNULL(2)) answer.password = aegis::pg::varlena_view(PG_GETARG_DATUM(2));
    answer.origin = {text_argument(fcinfo, 3), text_argument(fcinfo, 4), text_argument(fcinfo, 5)};
    sign_in::Result result;
    sign_in::answer(answer, &result);
    PG_RETURN_DATUM(to_tuple(fcinfo, result, true));
}

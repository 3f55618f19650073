// SPDX-License-Identifier: Apache-2.0
// What a token opens, and what those who invite may do. Whoever shows a token has read the mail of
// the person; a second factor is asked for all the same.
#include "user_token.hpp"

#include "budget.hpp"
#include "charge.hpp"
#include "password.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "second_factor.hpp"
#include "session.hpp"
#include "sign_in_account.hpp"
#include "user.hpp"
#include "user_authority.hpp"

namespace {

using namespace aegis;
using context::Context;
using user_token::Purpose;

constexpr char kFailed[] = "auth.reset_failed";

pg::Statement activate = {
    "UPDATE aegis.user SET status = 'active', password_hash = $2, password_changed_at = $3"
    " WHERE id OPERATOR(pg_catalog.=) $1",
    3,
    {UUIDOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

// Nothing can refer to somebody who never was there.
pg::Statement delete_invited = {
    "DELETE FROM aegis.user WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id "
    "OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'invited'",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement find_invited = {
    "SELECT FROM aegis.user WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id "
    "OPERATOR(pg_catalog.=) $2 AND status OPERATOR(pg_catalog.=) 'invited'",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement read_slug = {
    "SELECT slug FROM aegis.tenant WHERE id OPERATOR(pg_catalog.=) $1", 1, {UUIDOID}, nullptr};

struct Done {
    const char *outcome;
    int retry_after;           // with busy
    const char *organisation;  // with success
};

Datum to_tuple(FunctionCallInfo fcinfo, const Done &done) {
    Datum values[] = {CStringGetTextDatum(done.outcome), Int32GetDatum(done.retry_after),
                      done.organisation ? CStringGetTextDatum(done.organisation) : 0};
    bool nulls[] = {false, strcmp(done.outcome, "busy") != 0, done.organisation == nullptr};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("result is not a record")));
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

const char *slug_of(const pg_uuid_t &tenant, MemoryContext memory) {
    Datum values[] = {UUIDPGetDatum(&tenant)};
    bool is_null;
    if (pg::execute(read_slug, values) != 1) return nullptr;
    const char *slug = TextDatumGetCString(pg::column(0, 1, &is_null));
    return MemoryContextStrdup(memory, slug);
}

core::ByteView bytes(FunctionCallInfo fcinfo, int n) {
    return PG_ARGISNULL(n) ? core::ByteView() : pg::varlena_view(PG_GETARG_DATUM(n));
}

// The account behind a token, its attempts serialised. nullptr: go on; else the outcome.
const char *take(core::ByteView token, Purpose purpose, TimestampTz now, user_token::Token *found,
                 sign_in::Account *account) {
    if (!user_token::find(token, purpose, now, found)) return "unknown";
    if (!sign_in::lock_account(found->user)) return "busy";
    // Read again under the lock: of two who show one token the second comes too late.
    if (!user_token::find(token, purpose, now, found) ||
        !sign_in::find_account(found->tenant, found->user, now, account))
        return "unknown";
    return nullptr;
}

void replace_password(const sign_in::Account &account, core::ByteView password,
                      const sign_in::Origin &origin) {
    char *hash = password::hash_new(account.tenant, account.user, password, account.password_hash);
    password::store(account.tenant, account.user, hash, "reset");
    session::end(account.user, nullptr, "credentials_changed");
    sign_in::forget_challenges(account.user);
    user_token::forget(account.user);
    sign_in::record("auth.password_reset", account, origin, core::Outcome::success, nullptr,
                    nullptr);
}

// With a second factor the mailbox alone opens nothing; a code counts like one of a sign-in.
const char *reset_with_code(const sign_in::Account &account, core::ByteView password,
                            const char *code, TimestampTz now, const sign_in::Origin &origin) {
    if (code == nullptr) return "code";
    password::check_for(account.tenant, account.user, password);
    int slot = charge::open({charge::Kind::sign_in, "auth.sign_in_abandoned", account.tenant,
                             account.user, 0, nullptr, nullptr});
    const char *outcome = "failed";
    if (const char *refused = sign_in::refusal(account, slot)) {
        sign_in::record(kFailed, account, origin, core::Outcome::failure, nullptr, refused);
    } else {
        second_factor::Verdict verdict =
            second_factor::check(account.tenant, account.user, code, now);
        if (verdict == second_factor::Verdict::right) {
            replace_password(account, password, origin);
            outcome = "success";
        } else {
            sign_in::fail(kFailed, account, origin, second_factor::word(verdict));
        }
    }
    charge::settle(slot);
    return outcome;
}

const Context &require_invited(const pg_uuid_t &id) {
    const Context &context = user::require_writable();
    user::require_target(context, id);
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&id)};
    if (pg::execute(find_invited, values) != 1)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("user has no open invitation"),
                 errhint("Who has accepted one asks for a new password at the sign-in page.")));
    return context;
}

}  // namespace

// (token, password, code) → outcome, retry_after, organisation
AEGIS_FUNCTION(aegis_reset_password) {
    core::ByteView token = bytes(fcinfo, 0), password = bytes(fcinfo, 1);
    const char *code = PG_ARGISNULL(2) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(2));
    Done done = {"unknown", 1, nullptr};
    sign_in::Origin origin = charge::origin();
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    TimestampTz now = GetCurrentTimestamp();
    user_token::Token known;
    sign_in::Account account;
    const char *refused = take(token, Purpose::reset, now, &known, &account);
    if (refused == nullptr && !budget::take_hash(account.user, &done.retry_after)) refused = "busy";
    if (refused != nullptr) {
        done.outcome = refused;
    } else if (second_factor::state_of(account.tenant, account.user, account.rank).active) {
        done.outcome = reset_with_code(account, password, code, now, origin);
    } else {
        replace_password(account, password, origin);
        done.outcome = "success";
    }
    if (strcmp(done.outcome, "success") == 0) done.organisation = slug_of(known.tenant, caller);
    pg::leave(before);
    PG_RETURN_DATUM(to_tuple(fcinfo, done));
}

// (token, password) → outcome, retry_after, organisation
AEGIS_FUNCTION(aegis_accept_invitation) {
    core::ByteView token = bytes(fcinfo, 0), password = bytes(fcinfo, 1);
    Done done = {"unknown", 1, nullptr};
    sign_in::Origin origin = charge::origin();
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    TimestampTz now = GetCurrentTimestamp();
    user_token::Token known;
    sign_in::Account account;
    const char *refused = take(token, Purpose::invitation, now, &known, &account);
    if (refused != nullptr) {
        done.outcome = refused;
    } else {
        Datum values[] = {
            UUIDPGetDatum(&known.user),
            CStringGetTextDatum(password::hash_new(known.tenant, known.user, password, nullptr)),
            TimestampTzGetDatum(now)};
        pg::execute(activate, values);
        user_token::forget(known.user);
        sign_in::record("user.invitation_accepted", account, origin, core::Outcome::success,
                        nullptr, nullptr);
        done.outcome = "success";
        done.organisation = slug_of(known.tenant, caller);
    }
    pg::leave(before);
    PG_RETURN_DATUM(to_tuple(fcinfo, done));
}

// (tenant text) → integer: NULL when the network and the tenant may ask once more, else seconds
AEGIS_FUNCTION(aegis_take_attempt) {
    budget::Attempt attempt;
    const char *tenant = PG_ARGISNULL(0) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(0));
    budget::take(charge::origin().ip, tenant, &attempt);
    if (attempt.refused == nullptr) PG_RETURN_NULL();
    PG_RETURN_INT32(attempt.retry_after);
}

// (address bytea) → boolean: whether one of the mails of an hour is left, which is then taken
AEGIS_FUNCTION(aegis_take_mail) {
    int retry_after;
    PG_RETURN_BOOL(budget::take_mail(pg::varlena_view(PG_GETARG_DATUM(0)), &retry_after));
}

// (tenant uuid, user_id uuid): the entry of a request for a new password, whoever it is for
AEGIS_FUNCTION(aegis_note_reset_request) {
    sign_in::Account account;
    memset(&account, 0, sizeof account);
    account.tenant_found = !PG_ARGISNULL(0);
    account.user_found = account.tenant_found && !PG_ARGISNULL(1);
    if (account.tenant_found) account.tenant = *PG_GETARG_UUID_P(0);
    if (account.user_found) account.user = *PG_GETARG_UUID_P(1);
    sign_in::record("auth.reset_requested", account, charge::origin(),
                    account.user_found ? core::Outcome::success : core::Outcome::failure, nullptr,
                    nullptr);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_resend_invitation) {
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    const Context &context = require_invited(id);
    user_token::send_invitation(context.tenant, id);
    user::record("user.invitation_sent", id, nullptr, 0);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_revoke_invitation) {
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    const Context &context = require_invited(id);
    user_token::forget(id);
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&id)};
    pg::execute(delete_invited, values);
    user::record("user.invitation_revoked", id, nullptr, 0);
    pg::leave(before);
    PG_RETURN_VOID();
}

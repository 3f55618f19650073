// SPDX-License-Identifier: Apache-2.0
// Between a right password and a session: what a challenge still asks for. A challenge is in a
// table of its own, so that nothing that takes a session can take it; it neither opens anything nor
// ends the session that its user may have elsewhere.
#include "sign_in_account.hpp"

#include "budget.hpp"
#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "second_factor.hpp"
#include "user.hpp"

namespace aegis::sign_in {

namespace {

constexpr int64 kLifeMicros = 5 * USECS_PER_MINUTE;

struct Challenge {
    pg_uuid_t tenant, user;
    TimestampTz expires_at;
    Due due;
    pg_uuid_t issuer;
    char issuer_name[kMaxIssuerNameBytes + 1];  // empty: none
};

pg::Statement insert_challenge = {
    "INSERT INTO aegis.challenge (token_hash, tenant_id, user_id, expires_at, code_due, "
    "enrolment_due, password_due, issuer_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    8,
    {BYTEAOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, BOOLOID, BOOLOID, BOOLOID, UUIDOID},
    nullptr};

pg::Statement find_challenge = {
    "SELECT c.tenant_id, c.user_id, c.expires_at, c.code_due, c.enrolment_due, c.password_due,"
    "       i.id, i.name"
    "  FROM aegis.challenge c JOIN aegis.tenant t ON t.id OPERATOR(pg_catalog.=) c.tenant_id"
    "  LEFT JOIN aegis.issuer i ON i.id OPERATOR(pg_catalog.=) c.issuer_id"
    " WHERE c.token_hash OPERATOR(pg_catalog.=) $1 AND c.expires_at OPERATOR(pg_catalog.>) $2"
    "   AND t.status OPERATOR(pg_catalog.=) 'active' AND t.moved_to IS NULL"
    "   AND t.region OPERATOR(pg_catalog.=) $3 AND i.retired_at IS NULL",
    3,
    {BYTEAOID, TIMESTAMPTZOID, TEXTOID},
    nullptr};

pg::Statement update_challenge = {
    "UPDATE aegis.challenge SET code_due = $2, enrolment_due = $3, password_due = $4"
    " WHERE token_hash OPERATOR(pg_catalog.=) $1",
    4,
    {BYTEAOID, BOOLOID, BOOLOID, BOOLOID},
    nullptr};

pg::Statement delete_challenges = {
    "DELETE FROM aegis.challenge WHERE user_id OPERATOR(pg_catalog.=) $1", 1, {UUIDOID}, nullptr};

pg::Statement delete_others = {
    "DELETE FROM aegis.challenge WHERE user_id OPERATOR(pg_catalog.=) $1 AND token_hash "
    "OPERATOR(pg_catalog.<>) $2",
    2,
    {UUIDOID, BYTEAOID},
    nullptr};

pg::Statement delete_late = {
    "DELETE FROM aegis.challenge WHERE user_id OPERATOR(pg_catalog.=) $1 AND expires_at "
    "OPERATOR(pg_catalog.<=) $2",
    2,
    {UUIDOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement replace_hash = {
    "UPDATE aegis.user SET password_hash = $2 WHERE id OPERATOR(pg_catalog.=) $1",
    2,
    {UUIDOID, TEXTOID},
    nullptr};

Datum hash_of(core::ByteView token) {
    struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
    core::ByteSpan out = pg::payload(hash);
    pg::raise(pg::run([&] {
        core::Digest digest =
            core::session_token_hash({reinterpret_cast<const char *>(token.data), token.size});
        memcpy(out.data, digest.bytes, out.size);
    }));
    return PointerGetDatum(hash);
}

bool is_challenge(core::ByteView token) {
    return core::is_token(core::TokenKind::challenge,
                          {reinterpret_cast<const char *>(token.data), token.size});
}

bool read_challenge(core::ByteView token, TimestampTz now, Challenge *challenge) {
    Datum values[] = {hash_of(token), TimestampTzGetDatum(now), CStringGetTextDatum(guc::region)};
    if (pg::execute(find_challenge, values) != 1) return false;
    bool is_null;
    challenge->tenant = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    challenge->user = *DatumGetUUIDP(pg::column(0, 2, &is_null));
    challenge->expires_at = DatumGetTimestampTz(pg::column(0, 3, &is_null));
    challenge->due = {DatumGetBool(pg::column(0, 4, &is_null)),
                      DatumGetBool(pg::column(0, 5, &is_null)),
                      DatumGetBool(pg::column(0, 6, &is_null))};
    Datum issuer = pg::column(0, 7, &is_null);
    *challenge->issuer_name = '\0';
    if (is_null) return true;
    challenge->issuer = *DatumGetUUIDP(issuer);
    strlcpy(challenge->issuer_name, TextDatumGetCString(pg::column(0, 8, &is_null)),
            sizeof challenge->issuer_name);
    return true;
}

// An enrolment is for who has no second factor. One that was set up since, elsewhere, is not to be
// replaced by who knows the password alone.
bool is_overtaken(const Challenge &challenge) {
    return challenge.due.enrolment &&
           second_factor::state_of(challenge.tenant, challenge.user, 0).active;
}

// What is asked for now, against what came. nullptr: it fits, and is no longer due.
const char *check(const Answer &answer, const Account &account, TimestampTz now, Due *due,
                  const char *new_hash, Result *result, MemoryContext caller) {
    if (due->code) {
        second_factor::Verdict verdict =
            second_factor::check(account.tenant, account.user, answer.code, now);
        if (verdict == second_factor::Verdict::right) due->code = false;
        return verdict == second_factor::Verdict::right ? nullptr : second_factor::word(verdict);
    }
    if (due->enrolment) {
        if (!second_factor::confirm(account.tenant, account.user, answer.code, now, false))
            return "code";
        due->enrolment = false;
        // Those were made when nobody would have been asked for a code.
        Datum others[] = {UUIDPGetDatum(&account.user), hash_of(answer.challenge)};
        pg::execute(delete_others, others);
        result->recovery_codes =
            second_factor::renew_recovery_codes(account.tenant, account.user, caller);
        return nullptr;
    }
    password::store(account.tenant, account.user, new_hash, "challenge");
    due->password = false;
    return nullptr;
}

// Whether the answer is of the kind that is asked for; what is not counts as nothing.
bool fits(const Answer &answer, const Due &due) {
    if (due.code || due.enrolment) return answer.code != nullptr;
    return answer.password.data != nullptr;
}

}  // namespace

void challenge(const Account &account, const Origin &origin, TimestampTz now, const Due &due,
               const char *stronger_hash, Result *result) {
    Datum late[] = {UUIDPGetDatum(&account.user), TimestampTzGetDatum(now)};
    pg::execute(delete_late, late);
    if (stronger_hash != nullptr) {
        Datum hash[] = {UUIDPGetDatum(&account.user), CStringGetTextDatum(stronger_hash)};
        pg::execute(replace_hash, hash);
    }
    size_t length = 0;
    pg::raise(pg::run([&] {
        length = core::make_token(core::TokenKind::challenge, guc::region, result->token);
    }));
    result->token[length] = '\0';
    result->expires_at = now + kLifeMicros;
    result->due = due;
    result->outcome = Outcome::challenge;
    Datum values[] = {hash_of({reinterpret_cast<uint8_t *>(result->token), length}),
                      UUIDPGetDatum(&account.tenant),
                      UUIDPGetDatum(&account.user),
                      TimestampTzGetDatum(result->expires_at),
                      BoolGetDatum(due.code),
                      BoolGetDatum(due.enrolment),
                      BoolGetDatum(due.password),
                      UUIDPGetDatum(&account.issuer)};
    pg::execute(insert_challenge, values, *account.issuer_name != '\0' ? nullptr : "       n");
    record("auth.challenged", account, origin, core::Outcome::success, nullptr, due.first());
}

void answer(const Answer &answer, Result *result) {
    memset(result, 0, sizeof *result);
    result->outcome = Outcome::failed;
    result->unknown = true;
    if (!is_challenge(answer.challenge)) return;

    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    TimestampTz now = GetCurrentTimestamp();
    Challenge known;
    Account account;
    // Read again under the lock: two answers to one challenge come after one another.
    if (!read_challenge(answer.challenge, now, &known)) {
        pg::leave(before);
        return;
    }
    if (!lock_account(known.user)) {
        result->outcome = Outcome::busy;
        result->retry_after = 1;
        pg::leave(before);
        return;
    }
    if (!read_challenge(answer.challenge, now, &known) ||
        !find_account(known.tenant, known.user, now, &account) || is_overtaken(known)) {
        pg::leave(before);
        return;
    }
    if (!fits(answer, known.due))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("challenge asks for another answer"),
                        errdetail("What is due is: %s.", known.due.first())));
    account.issuer = known.issuer;
    strlcpy(account.issuer_name, known.issuer_name, sizeof account.issuer_name);
    result->unknown = false;
    // A password that is not good enough is said so before anything is charged: it is no guess. But
    // it costs hashes, of which whoever has the challenge gets few in a minute.
    char *new_hash = nullptr;
    bool password_due = !known.due.code && !known.due.enrolment;
    if (password_due && !budget::take_hash(account.user, &result->retry_after)) {
        result->outcome = Outcome::busy;
        pg::leave(before);
        return;
    }
    if (password_due)
        new_hash = password::hash_new(account.tenant, account.user, answer.password,
                                      account.password_hash);
    charge::set_origin(answer.origin.ip, answer.origin.user_agent, answer.origin.request_id);
    int slot = charge::open({charge::Kind::sign_in, "auth.sign_in_abandoned", account.tenant,
                             account.user, 0, nullptr, nullptr});
    Due due = known.due;
    const char *reason = refusal(account, slot);
    if (reason != nullptr) {
        record("auth.sign_in_failed", account, answer.origin, core::Outcome::failure, nullptr,
               reason);
    } else if (const char *wrong = check(answer, account, now, &due, new_hash, result, caller)) {
        fail("auth.sign_in_failed", account, answer.origin, wrong);
    } else if (due.any()) {
        Datum values[] = {hash_of(answer.challenge), BoolGetDatum(due.code),
                          BoolGetDatum(due.enrolment), BoolGetDatum(due.password)};
        pg::execute(update_challenge, values);
        result->outcome = Outcome::challenge;
        result->due = due;
        result->expires_at = known.expires_at;
        memcpy(result->token, answer.challenge.data, answer.challenge.size);
        result->token[answer.challenge.size] = '\0';
    } else {
        forget_challenges(account.user);
        finish(account, answer.origin, now, nullptr, result);
    }
    charge::settle(slot);
    pg::leave(before);
}

bool begin_enrolment(core::ByteView token, Enrolment *enrolment) {
    if (!is_challenge(token)) return false;
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    Challenge known;
    bool found = read_challenge(token, GetCurrentTimestamp(), &known) && known.due.enrolment &&
                 !known.due.code && !is_overtaken(known);
    if (found)
        second_factor::begin(known.tenant, known.user, caller, &enrolment->secret, &enrolment->uri,
                             &enrolment->qr);
    pg::leave(before);
    return found;
}

void forget_challenges(const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&user)};
    pg::execute(delete_challenges, values);
}

}  // namespace aegis::sign_in

AEGIS_FUNCTION(aegis_begin_enrolment) {
    namespace sign_in = aegis::sign_in;
    sign_in::Enrolment enrolment;
    if (PG_ARGISNULL(0) ||
        !sign_in::begin_enrolment(aegis::pg::varlena_view(PG_GETARG_DATUM(0)), &enrolment))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SIGN_IN_FAILED), errmsg("challenge is not valid"),
                        errhint("Sign in again.")));
    return aegis::second_factor::enrolment_tuple(fcinfo, enrolment.secret, enrolment.uri,
                                                 enrolment.qr);
}

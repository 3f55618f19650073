// SPDX-License-Identifier: Apache-2.0
#include "issuer.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "second_factor.hpp"
#include "user.hpp"

namespace aegis::issuer {

namespace {

constexpr char kRefused[] = "auth.token_refused";

// Two first requests with one sid meet here, and so do two sids of one user.
pg::Statement lock_user = {
    "SELECT u.rank FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1"
    " AND u.id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

std::string_view view_of(const char *text) {
    return {text, strlen(text)};
}

// Whoever sends rubbish all day must not fill the ledger: equal ones within seconds are one entry.
void note(const char *issuer, const char *reason, const session::Session *session = nullptr) {
    charge::Order order{};
    order.kind = charge::Kind::denial;
    order.event = kRefused;
    order.target = issuer;
    order.detail = reason;
    if (session != nullptr) {
        order.tenant = session->tenant;
        order.user = session->user;
    }
    charge::note(order);
}

bool is_refusal(const pg::Report &report) {
    return report.failed && (report.sqlstate == ERRCODE_INVALID_TEXT_REPRESENTATION ||
                             report.sqlstate == AEGIS_ERRCODE_CANNOT_OPEN ||
                             report.sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

int64_t now_seconds() {
    return ledger::unix_micros(GetCurrentTimestamp()) / USECS_PER_SEC;
}

TimestampTz timestamp_of(int64_t unix_seconds) {
    return (unix_seconds -
            (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64_t>(SECS_PER_DAY)) *
           USECS_PER_SEC;
}

// The signature, then the claims. False: it was refused and noted.
bool check(const char *token, Snapshot snapshot, Issuer *issuer, core::TokenClaims *claims) {
    std::string_view text = view_of(token);
    core::TokenHead head;
    pg::Report read = pg::run([&] { core::read_token_head(text, &head); });
    if (is_refusal(read)) {
        note("unknown", "malformed");
        return false;
    }
    pg::raise(read);
    if (!find(head.issuer, snapshot, issuer)) {
        note("unknown", "issuer");
        return false;
    }
    Key key;
    if (!find_key(*issuer, head.kid, snapshot, &key)) {
        ask_for_keys(*issuer);
        note(issuer->name, "key");
        return false;
    }
    find_roles(snapshot, issuer);
    issuer->rules.now = now_seconds();
    core::TokenFault fault = core::TokenFault::none;
    pg::Report verified = pg::run([&] {
        fault = core::verify_token(text, view_of(key.jwk), key.algorithm, issuer->rules, claims);
    });
    if (is_refusal(verified)) {
        note(issuer->name, "signature");
        return false;
    }
    pg::raise(verified);
    if (fault != core::TokenFault::none) note(issuer->name, core::token_fault_word(fault));
    return fault == core::TokenFault::none;
}

// No token of ours has this preimage: they are text of another form.
core::Digest hash_of(const Issuer &issuer, const session::Session &session, const char *sid) {
    core::Digest digest;
    const core::ByteView parts[] = {core::as_bytes("aegis/issuer-session/1"),
                                    pg::view_of(issuer.id), pg::view_of(session.user),
                                    pg::view_of(sid)};
    pg::raise(pg::run([&] { digest = core::sha256(parts, lengthof(parts)); }));
    return digest;
}

void record(const char *event, const Issuer &issuer, const session::Created &created,
            const pg_uuid_t &session, const Origin &origin) {
    uint8_t detail[128];
    char id[37];
    ledger::DetailPair pair = {"issuer", issuer.name, 0};
    ledger::Event entry = {event};
    bool begun = memcmp(&session, &created.session, sizeof session) == 0;
    user::format(begun ? created.user : session, id);
    entry.tenant = &created.tenant;
    entry.user = &created.user;
    entry.session = &session;
    entry.target_kind = begun ? "user" : "session";
    entry.target_id = id;
    if (begun) entry.detail = ledger::encode_detail(&pair, 1, detail);
    entry.ip = origin.ip;
    entry.user_agent = origin.user_agent;
    entry.request_id = origin.request_id;
    ledger::append(entry);
}

struct Beginning {
    const Issuer &issuer;
    const core::TokenClaims &claims;
    const Origin &origin;
    core::Digest hash;
    session::Session *session;
    bool factor_due;
};

// Runs in a subtransaction: what a race makes it lose is undone.
void begin(Beginning *beginning) {
    const session::Session &session = *beginning->session;
    const core::TokenClaims &claims = beginning->claims;
    pg::Identity before = pg::enter();
    Datum user[] = {UUIDPGetDatum(&session.tenant), UUIDPGetDatum(&session.user)};
    bool is_null, found = pg::execute(lock_user, user) == 1;
    int16 rank = found ? DatumGetInt16(pg::column(0, 1, &is_null)) : 0;
    session::Session other;
    bool known = false;
    session::verify_foreign(beginning->hash, &other, &known);
    // Of the user's own rank: a role may raise the rank of a session that has begun.
    beginning->factor_due = found && !claims.second_factor &&
                            second_factor::state_of(session.tenant, session.user, rank).required;
    if (found && !known && !beginning->factor_due) {
        int slot = charge::open({charge::Kind::signature, "auth.sign_in_abandoned", session.tenant,
                                 session.user, 0, nullptr, beginning->issuer.name});
        session::Created created{};
        pg_uuid_t superseded;
        created.tenant = session.tenant;
        created.user = session.user;
        created.now = GetCurrentTimestamp();
        created.issuer = &beginning->issuer.id;
        created.foreign = true;
        created.hash = beginning->hash;
        // An issuer that does not say when it saw its user may have seen them long ago.
        created.confirmed_at = timestamp_of(claims.authenticated_at);
        const charge::Origin from = {beginning->origin.ip, beginning->origin.user_agent,
                                     beginning->origin.request_id};
        if (session::create(&created, from, &superseded))
            record("auth.session_superseded", beginning->issuer, created, superseded,
                   beginning->origin);
        record("auth.sign_in", beginning->issuer, created, created.session, beginning->origin);
        charge::settle(slot);
    }
    pg::leave(before);
}

// False: the answer is in *verdict.
bool begin_session(Beginning *beginning, Verdict *verdict) {
    auto body = [&] { begin(beginning); };
    ErrorData *error = pg::try_in_subtransaction(body);
    if (error == nullptr) {
        *verdict = Verdict::factor_due;
        return !beginning->factor_due;
    }
    if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION)
        *verdict = Verdict::busy;
    else if (error->sqlerrcode == AEGIS_ERRCODE_NOT_CHARGED)
        *verdict = Verdict::not_charged;
    else
        ReThrowError(error);
    return false;
}

}  // namespace

Verdict verify(const char *token, const Origin &origin, session::Session *session,
               session::Verdict *standing) {
    Issuer issuer{};
    core::TokenClaims claims;
    Snapshot snapshot = own_table::latest();
    bool taken = check(token, snapshot, &issuer, &claims);
    pg_uuid_t tenant, user;
    if (taken && !find_user(issuer, claims, snapshot, &tenant, &user)) {
        note(issuer.name, "user");
        taken = false;
    }
    UnregisterSnapshot(snapshot);
    if (!taken) return Verdict::invalid;

    session->tenant = tenant;
    session->user = user;
    if (claims.rank == 0) {
        note(issuer.name, "role", session);
        return Verdict::no_rank;
    }
    core::Digest hash = hash_of(issuer, *session, claims.sid);
    bool found;
    *standing = session::verify_foreign(hash, session, &found);
    if (!found) {
        session->tenant = tenant;
        session->user = user;
        *standing = session::verify_user(session);
        if (*standing == session::Verdict::invalid) {
            note(issuer.name, "inactive", session);
            return Verdict::invalid;
        }
        if (*standing != session::Verdict::valid) return Verdict::user;
        Beginning beginning = {issuer, claims, origin, hash, session, false};
        Verdict verdict;
        if (!begin_session(&beginning, &verdict)) {
            if (verdict == Verdict::factor_due) note(issuer.name, "second_factor", session);
            return verdict;
        }
        *standing = session::verify_foreign(hash, session, &found);
    }
    if (*standing != session::Verdict::valid) return Verdict::user;
    // The role is a maximum, and so is the time of the token.
    session->rank = Min(session->rank, static_cast<int16>(claims.rank));
    session->expires_at =
        Min(session->expires_at, timestamp_of(claims.expires_at + issuer.rules.skew + 1));
    session->confirmed_at = Max(session->confirmed_at, timestamp_of(claims.authenticated_at));
    return Verdict::user;
}

}  // namespace aegis::issuer

// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include "context.hpp"
#include "field.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "scrub.hpp"
#include "tenant.hpp"
#include "team.hpp"
#include "user.hpp"

namespace aegis::session {

namespace {

// A write per request would be a price for every reader; the idle timeout needs no finer grain.
constexpr int64 kTouchGrainMicros = 60 * USECS_PER_SEC;
constexpr int kMostOriginBytes = 255;

// Waiting for a row that another request touches would tie two requests together.
pg::Statement touch_session = {
    "UPDATE aegis.session SET last_seen_at = $2 WHERE id OPERATOR(pg_catalog.=)"
    "  (SELECT s.id FROM aegis.session s WHERE s.id OPERATOR(pg_catalog.=) $1 AND s.ended_at IS "
    "NULL"
    "    FOR NO KEY UPDATE SKIP LOCKED)",
    2,
    {UUIDOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement end_previous = {
    "UPDATE aegis.session SET ended_at = $2, end_reason = CASE"
    "    WHEN expires_at OPERATOR(pg_catalog.<=) $2 OR last_seen_at OPERATOR(pg_catalog.<=) $3 "
    "THEN 'expired'"
    "    ELSE 'superseded' END"
    " WHERE user_id OPERATOR(pg_catalog.=) $1 AND ended_at IS NULL"
    " RETURNING id, end_reason OPERATOR(pg_catalog.=) 'superseded'",
    3,
    {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement insert_session = {
    "INSERT INTO aegis.session (tenant_id, user_id, token_hash, created_at, last_seen_at, "
    "confirmed_at, expires_at, device, network, issuer_id)"
    " VALUES ($1, $2, $3, $4, $4, $8, $5, $6, $7, $9) RETURNING id",
    9,
    {UUIDOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID, InvalidOid, InvalidOid,
     TIMESTAMPTZOID, UUIDOID},
    nullptr};

pg::Statement confirm_session = {
    "UPDATE aegis.session SET confirmed_at = $2 WHERE id OPERATOR(pg_catalog.=) $1 AND ended_at IS "
    "NULL",
    2,
    {UUIDOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement end_live = {
    "UPDATE aegis.session SET ended_at = $2, end_reason = $3"
    " WHERE user_id OPERATOR(pg_catalog.=) $1 AND ended_at IS NULL AND ($4 IS NULL OR id "
    "OPERATOR(pg_catalog.=) $4)",
    4,
    {UUIDOID, TIMESTAMPTZOID, TEXTOID, UUIDOID},
    nullptr};

pg::Statement end_all = {
    "UPDATE aegis.session SET ended_at = $2, end_reason = $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND ended_at IS NULL",
    3,
    {UUIDOID, TIMESTAMPTZOID, TEXTOID},
    nullptr};

// Every request asks for these four rows, and a plan that joins them would cost more to start than
// to run. Numbers of columns, as the install script makes them.
namespace column {
enum Session {
    id = 1,
    tenant_id,
    user_id,
    token_hash,
    created_at,
    last_seen_at,
    expires_at,
    ended_at,
    end_reason,
    confirmed_at
};
namespace user {
enum User { tenant_id = 1, id, team_id, rank, status = 12 };
}
namespace tenant {
enum Tenant { id = 1, region = 4, status = 5, moved_to = 7 };
}
namespace team {
enum Team { tenant_id = 1, id, ord = 5, last_ord };
}
}  // namespace column

// What is known of a token, however old or ended the session is.
struct Known {
    Snapshot snapshot;  // of the session and its user
    Session session;
    TimestampTz last_seen;
    bool ended, superseded, active, moved;
};

bool text_is(Datum value, const char *wanted) {
    return strcmp(TextDatumGetCString(value), wanted) == 0;
}

ScanKeyData uuid_key(int column, const pg_uuid_t &value) {
    ScanKeyData key;
    ScanKeyInit(&key, static_cast<AttrNumber>(column), BTEqualStrategyNumber, F_UUID_EQ,
                UUIDPGetDatum(&value));
    return key;
}

bool find_session(Datum hash, Known *known) {
    ScanKeyData key;
    ScanKeyInit(&key, column::token_hash, BTEqualStrategyNumber, F_BYTEAEQ, hash);
    own_table::Scan scan =
        own_table::begin_one("session", &key, 1, "session_token_hash_key", known->snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        bool is_null;
        Session &session = known->session;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        session.id = *DatumGetUUIDP(get(column::id));
        session.tenant = *DatumGetUUIDP(get(column::tenant_id));
        session.user = *DatumGetUUIDP(get(column::user_id));
        session.expires_at = DatumGetTimestampTz(get(column::expires_at));
        session.confirmed_at = DatumGetTimestampTz(get(column::confirmed_at));
        known->last_seen = DatumGetTimestampTz(get(column::last_seen_at));
        Datum reason = get(column::end_reason);
        known->ended = !is_null;
        known->superseded = known->ended && text_is(reason, "superseded");
    }
    own_table::end(scan);
    return row != nullptr;
}

bool find_user(Known *known) {
    namespace at = column::user;
    Session &session = known->session;
    ScanKeyData keys[] = {uuid_key(at::tenant_id, session.tenant), uuid_key(at::id, session.user)};
    own_table::Scan scan = own_table::begin_one("user", keys, 2, nullptr, known->snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        bool is_null;
        session.team = *DatumGetUUIDP(own_table::column(scan, row, at::team_id, &is_null));
        session.rank = DatumGetInt16(own_table::column(scan, row, at::rank, &is_null));
        known->active = text_is(own_table::column(scan, row, at::status, &is_null), "active");
    }
    own_table::end(scan);
    return row != nullptr;
}

bool find_tenant(Known *known, Snapshot snapshot) {
    namespace at = column::tenant;
    ScanKeyData key = uuid_key(at::id, known->session.tenant);
    own_table::Scan scan = own_table::begin_one("tenant", &key, 1, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        bool is_null;
        known->active =
            known->active && text_is(own_table::column(scan, row, at::status, &is_null), "active");
        Datum region = own_table::column(scan, row, at::moved_to, &is_null);
        known->moved = !is_null;
        if (is_null) region = own_table::column(scan, row, at::region, &is_null);
        strlcpy(known->session.region, TextDatumGetCString(region), sizeof known->session.region);
    }
    own_table::end(scan);
    return row != nullptr;
}

bool find_team(Known *known, Snapshot snapshot) {
    namespace at = column::team;
    Session &session = known->session;
    ScanKeyData keys[] = {uuid_key(at::tenant_id, session.tenant), uuid_key(at::id, session.team)};
    own_table::Scan scan = own_table::begin_one("team", keys, 2, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        bool is_null;
        team::require_seen(row);
        session.team_ord = DatumGetInt64(own_table::column(scan, row, at::ord, &is_null));
        session.team_last_ord = DatumGetInt64(own_table::column(scan, row, at::last_ord, &is_null));
    }
    own_table::end(scan);
    return row != nullptr;
}

// Younger than the lock: the others' snapshot may not show the move, or the suspension before an
// export or an erasure, that was waited for.
bool find_place(Known *known) {
    team::hold_numbers(known->session.tenant);
    Snapshot snapshot = own_table::latest();
    bool found = find_tenant(known, snapshot) && find_team(known, snapshot);
    UnregisterSnapshot(snapshot);
    return found;
}

TimestampTz idle_limit(TimestampTz now) {
    return now - static_cast<int64>(guc::session_idle_seconds) * USECS_PER_SEC;
}

core::Digest hash_of(core::ByteView token) {
    core::Digest digest;
    pg::raise(pg::run([&] {
        digest = core::session_token_hash({reinterpret_cast<const char *>(token.data), token.size});
    }));
    return digest;
}

Datum to_datum(const core::Digest &digest) {
    return PointerGetDatum(pg::copy_varlena(digest.view()));
}

bool find_holder(Known *known) {
    bool found = find_user(known) && find_place(known);
    if (found) known->session.limits = limit::of_tenant(known->session.tenant, known->snapshot);
    return found;
}

bool is_here(const Session &session) {
    return strcmp(session.region, guc::region) == 0;
}

// What says where somebody signs in from is personal: sealed like an address. 0: nothing was said.
Datum seal_origin(const pg_uuid_t &tenant, const char *name, const char *value) {
    if (value == nullptr || *value == '\0') return 0;
    const field::Field *field = field::find(field::reference_of(name));
    if (field == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("field \"%s\" is not registered", name)));
    // A browser may call itself anything, also something like a card number.
    text *clean = scrub::scrubbed(pg::view_of(value));
    if (clean != nullptr) value = text_to_cstring(clean);
    core::ByteView shown = pg::view_of(value);
    int length = pg_mbcliplen(value, static_cast<int>(shown.size), kMostOriginBytes);
    shown.size = static_cast<size_t>(length);
    return PointerGetDatum(field::seal(tenant, *field, shown, field::Bond()));
}

}  // namespace

Verdict verify(core::ByteView token, Session *session) {
    if (!core::is_session_token({reinterpret_cast<const char *>(token.data), token.size}))
        return Verdict::invalid;
    bool found;
    return verify_foreign(hash_of(token), session, &found);
}

Verdict verify_user(Session *session) {
    Known known{};
    known.session.tenant = session->tenant;
    known.session.user = session->user;
    known.snapshot = own_table::latest();
    bool found = find_holder(&known);
    UnregisterSnapshot(known.snapshot);
    *session = known.session;
    if (!found) return Verdict::invalid;
    if (known.moved) return Verdict::moved;
    if (!known.active) return Verdict::invalid;
    return is_here(*session) ? Verdict::valid : Verdict::misdirected;
}

Verdict verify_foreign(const core::Digest &hash, Session *session, bool *found) {
    Known known{};
    known.snapshot = own_table::latest();
    *found = find_session(to_datum(hash), &known);
    bool held = *found && find_holder(&known);
    UnregisterSnapshot(known.snapshot);
    if (!held) return Verdict::invalid;
    if (known.moved) {
        *session = known.session;
        return Verdict::moved;
    }
    TimestampTz now = GetCurrentTimestamp();
    bool timely = known.session.expires_at > now && known.last_seen > idle_limit(now);
    known.session.touch_due = now - known.last_seen > kTouchGrainMicros;
    *session = known.session;
    if (known.superseded && known.session.expires_at > now) return Verdict::superseded;
    if (known.ended || !timely || !known.active) return Verdict::invalid;
    return is_here(*session) ? Verdict::valid : Verdict::misdirected;
}

void establish(const Session &session, const char *ip, const char *user_agent,
               const char *request_id) {
    context::Context context;
    memset(&context, 0, sizeof context);
    context.tenant = session.tenant;
    context.session = session.id;
    context.way = context::Way::session_token;
    // Who was deactivated, demoted or moved keeps an open transaction's context no longer than
    // this.
    context.expires_at =
        Min(session.expires_at,
            GetCurrentTimestamp() + static_cast<int64>(guc::transaction_timeout) * USECS_PER_SEC);
    context.confirmed_at = session.confirmed_at;
    limit::give(session.limits, &context);
    context::set_ranges(context, session.rank, session.user, session.team_ord,
                        session.team_last_ord);
    context::set_origin(context, ip, user_agent, request_id);
    context::establish(context);
}

void touch(const pg_uuid_t &session) {
    if (XactReadOnly) return;
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&session), TimestampTzGetDatum(GetCurrentTimestamp())};
    pg::execute(touch_session, values);
    pg::leave(before);
}

bool create(Created *created, const charge::Origin &origin, pg_uuid_t *superseded) {
    bool is_null, was_live = false;
    Datum previous[] = {UUIDPGetDatum(&created->user), TimestampTzGetDatum(created->now),
                        TimestampTzGetDatum(idle_limit(created->now))};
    if (pg::execute(end_previous, previous) == 1) {
        *superseded = *DatumGetUUIDP(pg::column(0, 1, &is_null));
        was_live = DatumGetBool(pg::column(0, 2, &is_null));
    }
    if (!created->foreign) {
        size_t length = 0;
        pg::raise(pg::run([&] { length = core::make_session_token(guc::region, created->token); }));
        created->token[length] = '\0';
        created->hash = hash_of({reinterpret_cast<uint8_t *>(created->token), length});
        created->confirmed_at = created->now;
    }
    created->expires_at =
        created->now + static_cast<int64>(guc::session_lifetime_seconds) * USECS_PER_SEC;
    Datum values[] = {UUIDPGetDatum(&created->tenant),
                      UUIDPGetDatum(&created->user),
                      to_datum(created->hash),
                      TimestampTzGetDatum(created->now),
                      TimestampTzGetDatum(created->expires_at),
                      seal_origin(created->tenant, "session.device", origin.user_agent),
                      seal_origin(created->tenant, "session.network", origin.ip),
                      TimestampTzGetDatum(created->confirmed_at),
                      created->issuer != nullptr ? UUIDPGetDatum(created->issuer) : 0};
    const char nulls[] = {' ',
                          ' ',
                          ' ',
                          ' ',
                          ' ',
                          values[5] != 0 ? ' ' : 'n',
                          values[6] != 0 ? ' ' : 'n',
                          ' ',
                          created->issuer != nullptr ? ' ' : 'n',
                          '\0'};
    insert_session.arguments[5] = insert_session.arguments[6] =
        GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("sealed_text"),
                        ObjectIdGetDatum(get_namespace_oid("aegis", false)));
    pg::execute(insert_session, values, nulls);
    created->session = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    return was_live;
}

void confirm(const pg_uuid_t &session, TimestampTz now) {
    Datum values[] = {UUIDPGetDatum(&session), TimestampTzGetDatum(now)};
    pg::execute(confirm_session, values);
}

bool end(const pg_uuid_t &user, const pg_uuid_t *session, const char *reason) {
    Datum values[] = {UUIDPGetDatum(&user), TimestampTzGetDatum(GetCurrentTimestamp()),
                      CStringGetTextDatum(reason), session ? UUIDPGetDatum(session) : 0};
    return pg::execute(end_live, values, session ? "    " : "   n") == 1;
}

uint64 end_of_tenant(const pg_uuid_t &tenant, const char *reason) {
    Datum values[] = {UUIDPGetDatum(&tenant), TimestampTzGetDatum(GetCurrentTimestamp()),
                      CStringGetTextDatum(reason)};
    return pg::execute(end_all, values);
}

}  // namespace aegis::session

AEGIS_FUNCTION(aegis_authenticate) {
    namespace session = aegis::session;
    auto argument = [&](int n) {
        return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
    };
    session::Session found;
    session::Verdict verdict = session::Verdict::invalid;
    if (!PG_ARGISNULL(0))
        verdict = session::verify(aegis::pg::varlena_view(PG_GETARG_DATUM(0)), &found);
    if (verdict == session::Verdict::superseded)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SIGN_IN_FAILED),
                        errmsg("session was superseded by another sign-in"),
                        errhint("Sign in again; that ends the other session.")));
    if (verdict == session::Verdict::moved) aegis::tenant::refuse_moved(found.region);
    if (verdict == session::Verdict::misdirected)
        aegis::tenant::refuse_region("tenant", found.region);
    if (verdict != session::Verdict::valid)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SIGN_IN_FAILED), errmsg("session is not valid"),
                        errhint("Sign in again.")));
    int retry_after;
    if (!aegis::limit::take_request(found.tenant, found.user, found.limits, true, &retry_after))
        aegis::limit::refuse(aegis::limit::Quota::requests, retry_after);
    session::establish(found, argument(1), argument(2), argument(3));
    aegis::context::hold_to_time();
    if (found.touch_due) session::touch(found.id);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_sign_out) {
    const aegis::context::Context &context = aegis::context::require();
    if (context.way != aegis::context::Way::session_token)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("the context does not come from a session")));
    pg_uuid_t session = context.session;
    aegis::pg::Identity before = aegis::pg::enter();
    bool ended = aegis::session::end(context.user, &session, "signed_out");
    if (ended) {
        char id[37];
        aegis::user::format(session, id);
        aegis::ledger::Event entry = {"auth.sign_out"};
        entry.target_kind = "session";
        entry.target_id = id;
        aegis::ledger::append(entry);
    }
    aegis::pg::leave(before);
    PG_RETURN_VOID();
}

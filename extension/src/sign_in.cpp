// SPDX-License-Identifier: Apache-2.0
// The order of the steps is the point: one attempt per account at a time, then the charge, then the
// password, and only then the verdict. Unknown tenants and users walk the same way.
#include "core/normalise.hpp"
#include "sign_in.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "ledger.hpp"
#include "password.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "session.hpp"
#include "tenant.hpp"
#include "user.hpp"

namespace aegis::sign_in {

namespace {

constexpr int kSlotPatienceMs = 2000;
constexpr size_t kMaximumEmailBytes = 320;
constexpr size_t kMaximumTenantBytes = 63;

struct Account {
    pg_uuid_t tenant, user;
    bool tenant_found, user_found;
    int16 rank;
    int failed_count;
    bool active, delayed, locked;
    char password_hash[password::kEncodedBytes];
};

pg::Statement find_tenant = {
    "SELECT t.id, t.status OPERATOR(pg_catalog.=) 'active', t.region, t.moved_to"
    "  FROM aegis.tenant t WHERE t.slug OPERATOR(pg_catalog.=) $1",
    1,
    {TEXTOID},
    nullptr};

pg::Statement find_user = {
    "SELECT u.id, u.rank, u.failed_count, u.password_hash, u.status OPERATOR(pg_catalog.=) "
    "'active',"
    "       coalesce(u.not_before OPERATOR(pg_catalog.>) $3, false),"
    "       coalesce(u.locked_until OPERATOR(pg_catalog.>) $3, false)"
    "  FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND u.login "
    "OPERATOR(pg_catalog.=) $2",
    3,
    {UUIDOID, BYTEAOID, TIMESTAMPTZOID},
    nullptr};

// Serialises attempts on one account, known or not: the key is a hash of what was typed. An object
// lock, because advisory locks can be taken by anybody's SQL.
bool lock_account(const char *tenant, core::ByteView normalised) {
    core::Digest digest;
    pg::raise(pg::run([&] {
        const core::ByteView parts[] = {core::as_bytes("aegis/sign-in/1"), pg::view_of(tenant),
                                        core::as_bytes(std::string_view("\0", 1)), normalised};
        digest = core::sha256(parts, lengthof(parts));
    }));
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, user::relation(), core::get_u32(digest.bytes),
                       core::get_u16(digest.bytes + 4));
    return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
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

    struct varlena *login = pg::alloc_varlena(32);
    Datum by_login[] = {UUIDPGetDatum(&account->tenant), PointerGetDatum(login),
                        TimestampTzGetDatum(now)};
    // A search key that changes between the two would make a user a stranger.
    uint64 version, found;
    do {
        version = key_cache::version();
        key::login_token(account->tenant, normalised, pg::payload(login).data);
        found = pg::execute(find_user, by_login);
    } while (found != 1 && version != key_cache::version());
    if (found != 1) return;
    account->user_found = true;
    account->user = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    account->rank = DatumGetInt16(pg::column(0, 2, &is_null));
    account->failed_count = DatumGetInt32(pg::column(0, 3, &is_null));
    strlcpy(account->password_hash, TextDatumGetCString(pg::column(0, 4, &is_null)),
            sizeof account->password_hash);
    account->active = DatumGetBool(pg::column(0, 5, &is_null));
    account->delayed = DatumGetBool(pg::column(0, 6, &is_null));
    account->locked = DatumGetBool(pg::column(0, 7, &is_null));
}

// Why an attempt fails before its password counts; nullptr when the password decides.
const char *refusal(const Account &account, int charge) {
    if (!account.tenant_found) return "tenant";
    if (!account.user_found) return "user";
    if (!account.active) return "inactive";
    if (account.locked) return "locked";
    if (account.delayed) return "delayed";
    // Attempts that somebody cancelled count at once, also before the worker has written them down.
    int pending = charge::pending_sign_ins(account.user, charge);
    if (pending > 0 && account.failed_count + pending >= guc::lock_failures) return "locked";
    if (pending > 0 && account.failed_count + pending >= user::kFreeFailures) return "delayed";
    return nullptr;
}

// The same work whether or not there is something to verify. False: no slot was free.
bool check_password(const Account &account, core::ByteView password, bool decides, bool *matches,
                    char *rehashed) {
    int slot;
    *matches = false;
    *rehashed = '\0';
    if (!password::take_slot(kSlotPatienceMs, &slot)) return false;
    bool out_of_memory = false;
    if (decides) {
        *matches = password::verify(account.password_hash, password);
        if (*matches && password::is_outdated(account.password_hash))
            out_of_memory = !password::hash(password, rehashed);
    } else {
        password::burn(password);
    }
    password::give_back(slot);
    if (out_of_memory)
        ereport(ERROR,
                (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for a password hash")));
    return true;
}

void record(const char *event, const Account &account, const Request &request,
            core::Outcome outcome, const pg_uuid_t *session, const char *reason) {
    uint8_t detail[64];
    ledger::DetailPair pair = {"reason", reason, 0};
    char id[37];
    ledger::Event entry = {event};
    entry.outcome = outcome;
    entry.tenant = account.tenant_found ? &account.tenant : nullptr;
    entry.user = account.user_found ? &account.user : nullptr;
    entry.session = session;
    if (account.user_found) {
        user::format(account.user, id);
        entry.target_kind = "user";
        entry.target_id = id;
    }
    if (reason != nullptr) entry.detail = ledger::encode_detail(&pair, 1, detail);
    entry.ip = request.ip;
    entry.user_agent = request.user_agent;
    entry.request_id = request.request_id;
    ledger::append(entry);
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
    if (!lock_account(request.tenant, normalised)) {
        result->outcome = Outcome::busy;
        result->retry_after = 1;
        pg::leave(before);
        return;
    }
    charge::set_origin(request.ip, request.user_agent, request.request_id);
    TimestampTz now = GetCurrentTimestamp();
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
        record("auth.sign_in_failed", account, request, core::Outcome::failure, nullptr, "busy");
    } else if (reason != nullptr) {
        record("auth.sign_in_failed", account, request, core::Outcome::failure, nullptr, reason);
    } else if (!matches) {
        bool locked = user::note_failure(account.user);
        record("auth.sign_in_failed", account, request, core::Outcome::failure, nullptr,
               "password");
        if (locked)
            record("auth.locked", account, request, core::Outcome::denied, nullptr, nullptr);
    } else {
        user::note_success(account.user, rehashed[0] != '\0' ? rehashed : nullptr);
        pg_uuid_t superseded;
        session::Created created = {account.tenant, account.user, now, {}, 0, ""};
        if (session::create(&created, &superseded)) {
            char id[37];
            user::format(superseded, id);
            ledger::Event entry = {"auth.session_superseded"};
            entry.tenant = &account.tenant;
            entry.user = &account.user;
            entry.session = &superseded;
            entry.target_kind = "session";
            entry.target_id = id;
            entry.ip = request.ip;
            entry.user_agent = request.user_agent;
            entry.request_id = request.request_id;
            ledger::append(entry);
        }
        record("auth.sign_in", account, request, core::Outcome::success, &created.session, nullptr);
        result->outcome = Outcome::success;
        result->tenant = account.tenant;
        result->user = account.user;
        result->rank = account.rank;
        result->session = created.session;
        result->expires_at = created.expires_at;
        strlcpy(result->token, created.token, sizeof result->token);
    }
    charge::settle(slot);
    pg::leave(before);
}

}  // namespace aegis::sign_in

AEGIS_FUNCTION(aegis_sign_in) {
    namespace sign_in = aegis::sign_in;
    // Whoever could roll a failed attempt back would guess for free. The charge holds anyway; this
    // says so before the password is looked at, and ends an implicit transaction with the attempt.
    PreventInTransactionBlock(true, "aegis.sign_in()");

    sign_in::Request request = {};
    auto argument = [&](int n) {
        return PG_ARGISNULL(n) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(n));
    };
    const char *tenant = argument(0), *email = argument(1);
    request.tenant = tenant ? tenant : "";
    request.email = email ? email : "";
    if (!PG_ARGISNULL(2)) request.password = aegis::pg::varlena_view(PG_GETARG_DATUM(2));
    request.ip = argument(3);
    request.user_agent = argument(4);
    request.request_id = argument(5);
    sign_in::Result result;
    sign_in::attempt(request, &result);

    static const char *const names[] = {"success", "failed", "busy"};
    Datum values[4] = {};
    bool nulls[4] = {false, true, true, true};
    values[0] = CStringGetTextDatum(names[static_cast<int>(result.outcome)]);
    if (result.outcome == sign_in::Outcome::success) {
        values[1] = CStringGetTextDatum(result.token);
        values[2] = TimestampTzGetDatum(result.expires_at);
        nulls[1] = nulls[2] = false;
    }
    if (result.outcome == sign_in::Outcome::busy) {
        values[3] = Int32GetDatum(result.retry_after);
        nulls[3] = false;
    }
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.sign_in is not a record")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"
#include "sign_in_account.hpp"

#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "session.hpp"
#include "suspicion.hpp"
#include "user.hpp"

namespace aegis::sign_in {

namespace {

constexpr int kSlotPatienceMs = 2000;

#define AEGIS_ACCOUNT_COLUMNS                                                                      \
    "SELECT u.id, u.rank, u.failed_count, u.password_hash, u.status OPERATOR(pg_catalog.=) "       \
    "'active',"                                                                                    \
    "       coalesce(u.not_before OPERATOR(pg_catalog.>) $3, false),"                              \
    "       coalesce(u.locked_until OPERATOR(pg_catalog.>) $3, false), u.password_due IS NOT NULL" \
    "  FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND "

// Locked, since a transaction of the caller's making, be it of one statement, may have an old
// snapshot, in which failures that were counted since do not exist: then this fails, before a guess
// was looked at. And a password that is replaced meanwhile ends what the old one still begins.
pg::Statement find_by_login = {AEGIS_ACCOUNT_COLUMNS
                               "u.login OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
                               3,
                               {UUIDOID, BYTEAOID, TIMESTAMPTZOID},
                               nullptr};
pg::Statement find_by_id = {AEGIS_ACCOUNT_COLUMNS
                            "u.id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
                            3,
                            {UUIDOID, UUIDOID, TIMESTAMPTZOID},
                            nullptr};

bool read_account(pg::Statement &statement, const Datum *values, Account *account) {
    if (pg::execute(statement, values) != 1) return false;
    bool is_null;
    account->user_found = true;
    account->user = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    account->rank = DatumGetInt16(pg::column(0, 2, &is_null));
    account->failed_count = DatumGetInt32(pg::column(0, 3, &is_null));
    strlcpy(account->password_hash, TextDatumGetCString(pg::column(0, 4, &is_null)),
            sizeof account->password_hash);
    account->active = DatumGetBool(pg::column(0, 5, &is_null));
    account->delayed = DatumGetBool(pg::column(0, 6, &is_null));
    account->locked = DatumGetBool(pg::column(0, 7, &is_null));
    account->password_due = DatumGetBool(pg::column(0, 8, &is_null));
    return true;
}

}  // namespace

bool find_account(const pg_uuid_t &tenant, core::ByteView login, TimestampTz now,
                  Account *account) {
    Datum values[] = {UUIDPGetDatum(&tenant), PointerGetDatum(pg::copy_varlena(login)),
                      TimestampTzGetDatum(now)};
    return read_account(find_by_login, values, account);
}

bool find_account(const pg_uuid_t &tenant, const pg_uuid_t &user, TimestampTz now,
                  Account *account) {
    memset(account, 0, sizeof *account);
    account->tenant = tenant;
    account->tenant_found = true;
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), TimestampTzGetDatum(now)};
    return read_account(find_by_id, values, account);
}

bool lock_account(const core::ByteView *parts, size_t count) {
    core::Digest digest;
    pg::raise(pg::run([&] { digest = core::sha256(parts, count); }));
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, user::relation(), core::get_u32(digest.bytes),
                       core::get_u16(digest.bytes + 4));
    return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool lock_account(const pg_uuid_t &user) {
    const core::ByteView parts[] = {core::as_bytes("aegis/proof/1"), pg::view_of(user)};
    return lock_account(parts, lengthof(parts));
}

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

void record(const char *event, const Account &account, const Origin &origin, core::Outcome outcome,
            const pg_uuid_t *session, const char *reason) {
    uint8_t detail[128];
    ledger::DetailPair pairs[2];
    int count = 0;
    if (reason != nullptr) pairs[count++] = {"reason", reason, 0};
    if (*account.issuer_name != '\0') pairs[count++] = {"issuer", account.issuer_name, 0};
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
    if (count > 0) entry.detail = ledger::encode_detail(pairs, count, detail);
    entry.ip = origin.ip;
    entry.user_agent = origin.user_agent;
    entry.request_id = origin.request_id;
    ledger::append(entry);
}

void fail(const char *event, const Account &account, const Origin &origin, const char *reason) {
    bool locked = user::note_failure(account.user);
    record(event, account, origin, core::Outcome::failure, nullptr, reason);
    if (locked) record("auth.locked", account, origin, core::Outcome::denied, nullptr, nullptr);
}

void finish(const Account &account, const Origin &origin, TimestampTz now,
            const char *stronger_hash, Result *result) {
    user::note_success(account.user, stronger_hash);
    pg_uuid_t superseded;
    session::Created created = {};
    created.tenant = account.tenant;
    created.user = account.user;
    created.now = now;
    if (*account.issuer_name != '\0') created.issuer = &account.issuer;
    if (session::create(&created, origin, &superseded)) {
        char id[37];
        user::format(superseded, id);
        ledger::Event entry = {"auth.session_superseded"};
        entry.tenant = &account.tenant;
        entry.user = &account.user;
        entry.session = &superseded;
        entry.target_kind = "session";
        entry.target_id = id;
        entry.ip = origin.ip;
        entry.user_agent = origin.user_agent;
        entry.request_id = origin.request_id;
        ledger::append(entry);
    }
    suspicion::remember(account, origin, now);
    record("auth.sign_in", account, origin, core::Outcome::success, &created.session, nullptr);
    result->outcome = Outcome::success;
    result->tenant = account.tenant;
    result->user = account.user;
    result->rank = account.rank;
    result->session = created.session;
    result->expires_at = created.expires_at;
    strlcpy(result->token, created.token, sizeof result->token);
}

}  // namespace aegis::sign_in

// SPDX-License-Identifier: Apache-2.0
// What is remembered is a keyed hash: neither programs nor addresses can be read from it, and who
// was where cannot be compared between users.
#include "suspicion.hpp"

#include "breached.hpp"
#include "budget.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"

namespace aegis::suspicion {

namespace {

constexpr int kFailures = 3;
constexpr size_t kMostDeviceBytes = 255;
constexpr size_t kMarkBytes = 32;

enum class What : char { device = 'd', network = 'n' };

pg::Statement find_marks = {
    "SELECT count(*), count(*) FILTER (WHERE o.mark OPERATOR(pg_catalog.=) $2), "
    "count(*) FILTER (WHERE o.mark OPERATOR(pg_catalog.=) $3)"
    "  FROM aegis.user_origin o WHERE o.user_id OPERATOR(pg_catalog.=) $1",
    3,
    {UUIDOID, BYTEAOID, BYTEAOID},
    nullptr};

pg::Statement keep_mark = {
    "INSERT INTO aegis.user_origin (tenant_id, user_id, mark, seen_at) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (user_id, mark) DO UPDATE SET seen_at = excluded.seen_at",
    4,
    {UUIDOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement order_password = {
    "UPDATE aegis.user SET password_due = $2 WHERE id OPERATOR(pg_catalog.=) $1",
    2,
    {UUIDOID, TEXTOID},
    nullptr};

pg::Statement warn = {"SELECT aegis.warn_of_sign_in($1, $2)", 2, {UUIDOID, UUIDOID}, nullptr};

// NUL keeps marks apart from addresses, which the same key makes look-up values of.
struct varlena *mark_of(const sign_in::Account &account, What what, const char *value) {
    uint8_t input[2 + UUID_LEN + kMostDeviceBytes];
    size_t length = Min(strlen(value), kMostDeviceBytes);
    input[0] = '\0';
    input[1] = static_cast<uint8_t>(what);
    memcpy(input + 2, account.user.data, UUID_LEN);
    memcpy(input + 2 + UUID_LEN, value, length);
    struct varlena *mark = pg::alloc_varlena(kMarkBytes);
    key::login_token(account.tenant, core::ByteView(input, 2 + UUID_LEN + length),
                     pg::payload(mark).data);
    return mark;
}

// Both must be known to be new: what a client does not say proves nothing.
bool is_strange(const sign_in::Account &account, const sign_in::Origin &origin) {
    char network[budget::kNetworkBytes];
    if (account.failed_count < kFailures || origin.user_agent == nullptr ||
        !budget::network_of(origin.ip, network))
        return false;
    Datum values[] = {UUIDPGetDatum(&account.user),
                      PointerGetDatum(mark_of(account, What::device, origin.user_agent)),
                      PointerGetDatum(mark_of(account, What::network, network))};
    if (pg::execute(find_marks, values) != 1) return false;
    bool is_null;
    int64 known = DatumGetInt64(pg::column(0, 1, &is_null)),
          device = DatumGetInt64(pg::column(0, 2, &is_null)),
          from = DatumGetInt64(pg::column(0, 3, &is_null));
    // Who never signed in has no place that would be theirs.
    return known > 0 && device == 0 && from == 0;
}

void keep(const sign_in::Account &account, What what, const char *value, TimestampTz now) {
    Datum values[] = {UUIDPGetDatum(&account.tenant), UUIDPGetDatum(&account.user),
                      PointerGetDatum(mark_of(account, what, value)), TimestampTzGetDatum(now)};
    pg::execute(keep_mark, values);
}

}  // namespace

const char *judge(const sign_in::Account &account, const sign_in::Origin &origin,
                  core::ByteView password) {
    if (account.password_due) return nullptr;
    const char *why = breached::look_up(password) == breached::Answer::known ? "breached"
                      : is_strange(account, origin)                          ? "suspicious"
                                                                             : nullptr;
    if (why == nullptr) return nullptr;
    Datum values[] = {UUIDPGetDatum(&account.user), CStringGetTextDatum(why)};
    pg::execute(order_password, values);
    sign_in::record("auth.rotation_forced", account, origin, core::Outcome::success, nullptr, why);
    if (strcmp(why, "suspicious") == 0) {
        Datum whom[] = {UUIDPGetDatum(&account.tenant), UUIDPGetDatum(&account.user)};
        pg::execute(warn, whom);
    }
    return why;
}

void remember(const sign_in::Account &account, const sign_in::Origin &origin, TimestampTz now) {
    char network[budget::kNetworkBytes];
    if (origin.user_agent != nullptr) keep(account, What::device, origin.user_agent, now);
    if (budget::network_of(origin.ip, network)) keep(account, What::network, network, now);
}

}  // namespace aegis::suspicion

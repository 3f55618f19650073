// SPDX-License-Identifier: Apache-2.0
// What failed sign-ins cost an account: a delay that doubles, then a lock. docs/sign_in.md.
#include "user.hpp"

#include "guc.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"

namespace aegis::user {

namespace {

constexpr int64 kLongestDelaySeconds = 900;

pg::Statement read_failures = {
    "SELECT failed_count FROM aegis.user WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
    1,
    {UUIDOID},
    nullptr};

pg::Statement write_failures = {
    "UPDATE aegis.user SET failed_count = $2, not_before = $3, locked_until = $4,"
    "       password_hash = coalesce($5, password_hash) WHERE id OPERATOR(pg_catalog.=) $1",
    5,
    {UUIDOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID},
    nullptr};

}  // namespace

bool note_failure(const pg_uuid_t &user) {
    Datum id[] = {UUIDPGetDatum(&user)};
    if (pg::execute(read_failures, id) != 1) return false;
    bool is_null;
    int failures = DatumGetInt32(pg::column(0, 1, &is_null)) + 1;
    TimestampTz now = GetCurrentTimestamp();
    int64 delay = 0;
    if (failures >= kFreeFailures)
        delay = Min(kLongestDelaySeconds, INT64CONST(1) << Min(failures - kFreeFailures + 1, 20));
    bool locks = failures >= guc::lock_failures;
    Datum values[] = {
        id[0], Int32GetDatum(failures), TimestampTzGetDatum(now + delay * USECS_PER_SEC),
        TimestampTzGetDatum(now + static_cast<int64>(guc::lock_seconds) * USECS_PER_SEC), 0};
    char nulls[] = {' ', ' ', delay > 0 ? ' ' : 'n', locks ? ' ' : 'n', 'n', '\0'};
    pg::execute(write_failures, values, nulls);
    return locks;
}

void note_success(const pg_uuid_t &user, const char *stronger_hash) {
    Datum values[] = {UUIDPGetDatum(&user), Int32GetDatum(0), 0, 0,
                      stronger_hash ? CStringGetTextDatum(stronger_hash) : 0};
    pg::execute(write_failures, values, stronger_hash ? "  nn " : "  nnn");
}

void note_abandoned(const pg_uuid_t &user) {
    pg::Identity before = pg::enter();
    if (note_failure(user)) {
        // The worker has no context; the entry names the user's tenant itself.
        static pg::Statement find_tenant = {
            "SELECT tenant_id FROM aegis.user WHERE id OPERATOR(pg_catalog.=) $1",
            1,
            {UUIDOID},
            nullptr};
        Datum values[] = {UUIDPGetDatum(&user)};
        if (pg::execute(find_tenant, values) == 1) {
            bool is_null;
            pg_uuid_t tenant = *DatumGetUUIDP(pg::column(0, 1, &is_null));
            char text[37];
            format(user, text);
            ledger::Event entry = {"auth.locked"};
            entry.outcome = core::Outcome::denied;
            entry.tenant = &tenant;
            entry.user = &user;
            entry.target_kind = "user";
            entry.target_id = text;
            ledger::append(entry);
        }
    }
    pg::leave(before);
}

}  // namespace aegis::user

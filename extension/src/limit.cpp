// SPDX-License-Identifier: Apache-2.0
// Quotas are a point in time up to which a tenant has used its rate: each use moves it on by its
// price, and it may be at most a minute ahead. One atomic number, so that a crash, a rollback or a
// cancel neither breaks it nor gives anything back.
#include "limit.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/report.hpp"
#include "region.hpp"
#include "role.hpp"
#include "user.hpp"
#include "worker.hpp"

namespace aegis::limit {

namespace {

constexpr int64_t kMinute = 60 * INT64CONST(1000000);
const char *const kNames[] = {"requests", "rows"};

namespace column {
enum Column { tenant_id = 1, statement_ms, lock_ms, idle_ms, requests, rows };
}

int retry_after_last = 1;

uint64_t hash_of(const pg_uuid_t &tenant) {
    // Ids are random: no two tenants share 64 bits of them, and nobody chooses theirs.
    uint64_t halves[2];
    memcpy(halves, &tenant, sizeof halves);
    uint64_t hash = halves[0] ^ (halves[1] << 1 | halves[1] >> 63);
    return hash != 0 ? hash : 1;
}

bool is_idle(const Meter &meter, int64_t now) {
    return meter.used_until[0].load() <= now && meter.used_until[1].load() <= now;
}

const Meter *find_meter(const pg_uuid_t &tenant) {
    region::State *state = region::state();
    uint64_t hash = hash_of(tenant);
    for (uint64_t i = 0; state != nullptr && i < kMeters; i++) {
        const Meter &meter = state->limits.meters[(hash + i) % kMeters];
        uint64_t known = meter.tenant.load();
        if (known == hash) return &meter;
        if (known == 0) break;
    }
    return nullptr;
}

Meter &meter_of(const pg_uuid_t &tenant) {
    region::State *state = region::state();
    uint64_t hash = hash_of(tenant);
    int64_t now = worker::now_micros();
    for (int round = 0; state != nullptr && round < 2; round++)
        for (uint64_t i = 0; i < kMeters; i++) {
            Meter &meter = state->limits.meters[(hash + i) % kMeters];
            uint64_t known = meter.tenant.load();
            if (known == hash) return meter;
            // Before an empty place stands every tenant that is counted already.
            bool may_take = round == 0 ? known == 0 : is_idle(meter, now);
            if (may_take && meter.tenant.compare_exchange_strong(known, hash)) return meter;
            if (known == hash) return meter;
        }
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_CHARGED),
                    errmsg("quota cannot be counted, so nothing is taken from it"),
                    errdetail("%d tenants have used theirs within a minute.", kMeters)));
    pg_unreachable();
}

int64_t price(int32 per_minute, int64_t units) {
    return units * kMinute / per_minute;
}

int seconds_until(int64_t used_until, int64_t cost, int64_t now) {
    int64_t wait = Max(used_until, now) + cost - now - kMinute;
    return wait > 0 ? static_cast<int>((wait + 999999) / 1000000) : 1;
}

// Takes what fits into the minute, or (force) in any case.
bool take(std::atomic<int64_t> &used_until, int64_t cost, bool force, int *retry_after) {
    int64_t now = worker::now_micros(), before = used_until.load();
    for (;;) {
        int64_t after = Max(before, now) + cost;
        if (!force && after > now + kMinute) {
            *retry_after = seconds_until(before, cost, now);
            return false;
        }
        if (used_until.compare_exchange_weak(before, after)) return true;
    }
}

// Refusals come by the thousand: the first of a minute is recorded.
void record_refusal(Meter &meter, Quota quota, const pg_uuid_t &tenant, const pg_uuid_t &user,
                    bool within_error) {
    int64_t minute = worker::now_micros() / kMinute + 1;
    std::atomic<int64_t> &told = meter.told_minute[static_cast<int>(quota)];
    int64_t before = told.load();
    if (before == minute || !told.compare_exchange_strong(before, minute)) return;
    const char *name = kNames[static_cast<int>(quota)];
    char id[37];
    user::format(tenant, id);
    int slot =
        charge::open({charge::Kind::denial, "tenant.quota_exceeded", tenant, user, 0, id, name});
    if (within_error) return;
    uint8_t detail[64];
    ledger::DetailPair pair = {"quota", name, 0};
    ledger::Event entry = {"tenant.quota_exceeded"};
    entry.outcome = core::Outcome::denied;
    entry.tenant = &tenant;
    entry.user = &user;
    entry.target_kind = "tenant";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    ledger::append(entry);
    charge::settle(slot);
}

int32 units_used(const std::atomic<int64_t> &used_until, int32 per_minute) {
    int64_t ahead = Max(used_until.load() - worker::now_micros(), 0);
    // Rounded up: what is left must fit.
    return static_cast<int32>((Min(ahead, kMinute) * per_minute + kMinute - 1) / kMinute);
}

// What a query inside another one gives is given on by that one, or not at all; what it changes
// counts.
bool counting = false;

}  // namespace

Limits of_tenant(const pg_uuid_t &tenant, Snapshot snapshot) {
    Limits limits = {guc::tenant_statement_timeout_ms, guc::tenant_lock_timeout_ms,
                     guc::tenant_idle_timeout_ms, guc::tenant_requests, guc::tenant_rows};
    ScanKeyData key;
    ScanKeyInit(&key, column::tenant_id, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    own_table::Scan scan = own_table::begin_one("tenant_limit", &key, 1, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        auto read = [&](int number, int32 &value) {
            bool is_null;
            Datum own = own_table::column(scan, row, number, &is_null);
            if (!is_null) value = DatumGetInt32(own);
        };
        read(column::statement_ms, limits.statement_ms);
        read(column::lock_ms, limits.lock_ms);
        read(column::idle_ms, limits.idle_ms);
        read(column::requests, limits.requests);
        read(column::rows, limits.rows);
    }
    own_table::end(scan);
    return limits;
}

void give(const Limits &limits, context::Context *context) {
    context->statement_ms = limits.statement_ms;
    context->lock_ms = limits.lock_ms;
    context->idle_ms = limits.idle_ms;
    context->rows_per_minute = limits.rows;
}

Use use_of_tenant(const pg_uuid_t &tenant, const Limits &limits) {
    const Meter *meter = find_meter(tenant);
    Use use = {0, 0};
    if (meter != nullptr && limits.requests > 0)
        use.requests = units_used(meter->used_until[0], limits.requests);
    if (meter != nullptr && limits.rows > 0)
        use.rows = units_used(meter->used_until[1], limits.rows);
    return use;
}

bool take_request(const pg_uuid_t &tenant, const pg_uuid_t &user, const Limits &limits,
                  bool within_error, int *retry_after) {
    if (limits.requests == 0) return true;
    Meter &meter = meter_of(tenant);
    if (take(meter.used_until[0], price(limits.requests, 1), false, retry_after)) return true;
    record_refusal(meter, Quota::requests, tenant, user, within_error);
    return false;
}

void refuse(Quota quota, int retry_after) {
    retry_after_last = retry_after;
    // That one is an address's, and counted elsewhere.
    ereport(ERROR, (errcode(AEGIS_ERRCODE_QUOTA_EXCEEDED),
                    quota == Quota::mails ? errmsg("the address was mailed too often")
                                          : errmsg("quota of %s of the tenant is used up",
                                                   kNames[static_cast<int>(quota)]),
                    errhint("Try again in %d seconds.", retry_after)));
    pg_unreachable();
}

int last_retry_after() {
    return retry_after_last;
}

void run(ExecutorRun_hook_type next, QueryDesc *query, ScanDirection direction, uint64 count,
         bool execute_once) {
    const context::Context *context = context::current();
    bool part_of_another = counting && query->operation == CMD_SELECT;
    if (context == nullptr || context->rows_per_minute == 0 || part_of_another ||
        IsParallelWorker() || GetUserId() == role::owner()) {
        next(query, direction, count, execute_once);
        return;
    }
    pg_uuid_t tenant = context->tenant, user = context->user;
    int32 per_minute = context->rows_per_minute;
    Meter &meter = meter_of(tenant);
    std::atomic<int64_t> &used_until = meter.used_until[1];
    uint64 left = static_cast<uint64>(per_minute - units_used(used_until, per_minute));
    bool inside = counting;
    counting = true;
    uint64 rows = 0;
    int retry_after = 1;
    PG_TRY();
    { next(query, direction, count == 0 ? left + 1 : Min(count, left + 1), execute_once); }
    PG_FINALLY();
    {
        counting = inside;
        // What was given before an error is given. Never more than the quota and a row: one
        // statement does not lock a tenant out for hours.
        rows = query->estate->es_processed;
        take(used_until, price(per_minute, static_cast<int64_t>(Min(rows, left + 1))), true,
             &retry_after);
    }
    PG_END_TRY();
    if (rows <= left) return;
    record_refusal(meter, Quota::rows, tenant, user, true);
    refuse(Quota::rows,
           seconds_until(used_until.load(), price(per_minute, 1), worker::now_micros()));
}

}  // namespace aegis::limit

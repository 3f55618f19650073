// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"
#include "core/random.hpp"
#include "budget.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/guard.hpp"
#include "region.hpp"
#include "worker.hpp"

namespace aegis::budget {

namespace {

constexpr int64_t kMinute = 60 * INT64CONST(1000000);
constexpr int64_t kHour = 60 * kMinute;
// Who has to choose a new password finds one among so many; each costs two hashes.
constexpr int kHashesPerMinute = 10;
constexpr int kMailsPerHour = 3;

enum class Kind : uint8_t { network = 1, tenant = 2, hash = 3, reveal = 4, mail = 5 };

uint32_t cell_of(const Table &table, Kind kind, core::ByteView name) {
    const uint8_t tag[] = {static_cast<uint8_t>(kind)};
    const core::ByteView parts[] = {core::ByteView(table.seed), core::ByteView(tag), name};
    core::Digest digest;
    pg::raise(pg::run([&] { digest = core::sha256(parts, lengthof(parts)); }));
    return core::get_u32(digest.bytes) % kCells;
}

// 0: taken; else after how many seconds there is one again.
int take_one(std::atomic<int64_t> &used_until, int64_t cost, int64_t window = kMinute) {
    int64_t now = worker::now_micros(), before = used_until.load();
    for (;;) {
        int64_t after = Max(before, now) + cost;
        if (after > now + window)
            return Max(static_cast<int>((after - now - window + 999999) / 1000000), 1);
        if (used_until.compare_exchange_weak(before, after)) return 0;
    }
}

bool take_of(Table &table, Kind kind, const char *name, int per_minute, Attempt *attempt) {
    if (per_minute == 0 || name == nullptr) return true;
    uint32_t cell = cell_of(table, kind, pg::view_of(name));
    int64_t cost = kMinute / per_minute;
    attempt->retry_after = take_one(table.used_until[cell], cost);
    if (attempt->retry_after > 0) return false;
    attempt->cells[attempt->count] = cell;
    attempt->costs[attempt->count++] = cost;
    return true;
}

}  // namespace

bool network_of(const char *ip, char (&out)[kNetworkBytes]) {
    in_addr four;
    in6_addr six;
    if (ip == nullptr) return false;
    if (inet_pton(AF_INET, ip, &four) == 1) {
        four.s_addr &= htonl(0xffffff00);
        return inet_ntop(AF_INET, &four, out, sizeof out) != nullptr;
    }
    if (inet_pton(AF_INET6, ip, &six) != 1) return false;
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        memcpy(&four, six.s6_addr + 12, sizeof four);
        four.s_addr &= htonl(0xffffff00);
        return inet_ntop(AF_INET, &four, out, sizeof out) != nullptr;
    }
    memset(six.s6_addr + 8, 0, 8);
    return inet_ntop(AF_INET6, &six, out, sizeof out) != nullptr;
}

void take(const char *ip, const char *tenant, Attempt *attempt) {
    memset(attempt, 0, sizeof *attempt);
    region::State *state = region::state();
    if (state == nullptr) return;  // the charge that follows refuses by itself
    char network[kNetworkBytes];
    const char *from = network_of(ip, network) ? network : nullptr;
    if (!take_of(state->budgets, Kind::network, from, guc::network_failures, attempt))
        attempt->refused = "network";
    else if (!take_of(state->budgets, Kind::tenant, tenant, guc::tenant_failures, attempt))
        attempt->refused = "tenant";
    if (attempt->refused == nullptr) return;
    give_back(*attempt);
    charge::Order order = {};
    order.kind = charge::Kind::denial;
    order.event = "auth.throttled";
    order.target = order.detail = attempt->refused;
    charge::note(order);
}

void give_back(const Attempt &attempt) {
    for (int i = 0; i < attempt.count; i++)
        region::state()->budgets.used_until[attempt.cells[i]].fetch_sub(attempt.costs[i]);
}

void give_back(const char *ip) {
    region::State *state = region::state();
    char network[kNetworkBytes];
    if (state == nullptr || guc::network_failures == 0 || !network_of(ip, network)) return;
    uint32_t cell = cell_of(state->budgets, Kind::network, pg::view_of(network));
    state->budgets.used_until[cell].fetch_sub(kMinute / guc::network_failures);
}

bool take_hash(const pg_uuid_t &user, int *retry_after) {
    region::State *state = region::state();
    if (state == nullptr) return true;
    uint32_t cell = cell_of(state->budgets, Kind::hash, pg::view_of(user));
    *retry_after = take_one(state->budgets.used_until[cell], kMinute / kHashesPerMinute);
    return *retry_after == 0;
}

bool take_reveal(const pg_uuid_t &session, int64 window, int per_window) {
    region::State *state = region::state();
    if (state == nullptr) return true;  // the charge that follows refuses by itself
    // The same session for a whole statement: its cell is not looked for again for each value.
    static pg_uuid_t last = {};
    static uint32_t cell = kRevealCells;
    if (cell == kRevealCells || memcmp(&last, &session, sizeof last) != 0) {
        cell = cell_of(state->budgets, Kind::reveal, pg::view_of(session)) % kRevealCells;
        last = session;
    }
    return take_one(state->budgets.revealed_until[cell], window / per_window, window) == 0;
}

bool take_mail(core::ByteView address, int *retry_after) {
    region::State *state = region::state();
    if (state == nullptr) return true;
    uint32_t cell = cell_of(state->budgets, Kind::mail, address);
    *retry_after = take_one(state->budgets.mailed_until[cell], kHour / kMailsPerHour, kHour);
    return *retry_after == 0;
}

void create() {
    Table &table = region::state()->budgets;
    core::ByteSpan seed = {table.seed, sizeof table.seed};
    pg::raise(pg::run([&] { core::random_secret(seed); }));
}

}  // namespace aegis::budget

// SPDX-License-Identifier: Apache-2.0
#include "rate.hpp"

#include "core/digest.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace aegis::server {

namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kMinute = 60 * kSecond;

int64_t now_micros() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

int64_t seconds_of(int64_t micros) {
    return std::max<int64_t>((micros + kSecond - 1) / kSecond, 0);
}

void describe(const char *name, int64_t per_minute, const RateUse &use, std::string *policies,
              std::string *uses) {
    const char *comma = policies->empty() ? "" : ", ";
    *policies += comma;
    *policies += '"';
    *policies += name;
    *policies += "\";q=" + std::to_string(per_minute) + ";w=60";
    *uses += comma;
    *uses += '"';
    *uses += name;
    *uses += "\";r=" + std::to_string(use.remaining) + ";t=" + std::to_string(use.reset_seconds);
}

}  // namespace

RateBuckets::RateBuckets() {
    core::random_secret(core::ByteSpan(seed_, sizeof seed_));
    used_until_ = std::make_unique<std::atomic<int64_t>[]>(kBuckets);
    for (size_t at = 0; at < kBuckets; ++at) used_until_[at].store(INT64_MIN);
}

RateUse RateBuckets::take(std::string_view key, int64_t per_minute, int64_t now) {
    core::Digest digest = core::sha256(core::ByteView(seed_, sizeof seed_), core::as_bytes(key));
    std::atomic<int64_t> &used_until =
        used_until_[core::get_u32(digest.bytes) % static_cast<uint32_t>(kBuckets)];
    const int64_t cost = kMinute / per_minute;
    RateUse use;
    int64_t before = used_until.load();
    int64_t after = 0;
    do {
        after = std::max(before, now) + cost;
        use.allowed = after <= now + kMinute;
        if (!use.allowed) {
            use.retry_seconds = std::max<int64_t>(seconds_of(after - now - kMinute), 1);
            after = before;
            break;
        }
    } while (!used_until.compare_exchange_weak(before, after));
    use.remaining = std::max<int64_t>((now + kMinute - after) / cost, 0);
    use.reset_seconds = seconds_of(after - now);
    return use;
}

std::string counted_address(const std::string &peer) {
    in6_addr raw{};
    if (inet_pton(AF_INET6, peer.c_str(), &raw) != 1) return peer;
    if (IN6_IS_ADDR_V4MAPPED(&raw)) {
        char text[INET_ADDRSTRLEN];
        if (inet_ntop(AF_INET, raw.s6_addr + 12, text, sizeof text) == nullptr) return peer;
        return text;
    }
    std::memset(raw.s6_addr + 8, 0, 8);
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(AF_INET6, &raw, text, sizeof text) == nullptr) return peer;
    return std::string(text) + "/64";
}

std::optional<AddressCount::Place> AddressCount::enter(const std::string &peer, int64_t most) {
    if (most < 1) return std::nullopt;
    Counts::value_type &whose = *counts_.try_emplace(counted_address(peer)).first;
    if (whose.second >= most) return std::nullopt;
    ++whose.second;
    return Place(this, &whose);
}

void AddressCount::leave(Counts::value_type *whose) noexcept {
    if (--whose->second == 0) counts_.erase(counts_.find(whose->first));
}

RateVerdict RateLimits::take(const Rates &rates, const std::string &peer,
                             std::string_view principal) {
    RateVerdict verdict;
    std::string policies, uses;
    const int64_t now = now_micros();
    auto count = [&](RateBuckets &buckets, int64_t per_minute, const char *name,
                     std::string_view key) {
        if (per_minute == 0 || key.empty() || !verdict.allowed) return;
        RateUse use = buckets.take(key, per_minute, now);
        describe(name, per_minute, use, &policies, &uses);
        verdict.allowed = use.allowed;
        verdict.retry_seconds = use.retry_seconds;
    };
    if (rates.address > 0) count(address_, rates.address, "address", counted_address(peer));
    count(principal_, rates.principal, "principal", principal);
    if (!policies.empty())
        verdict.fields = "ratelimit-policy: " + policies + "\r\nratelimit: " + uses + "\r\n";
    return verdict;
}

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
#include "region.hpp"

#include "json.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace aegis::server {

namespace {

// For so long a request waits for a place while nobody else is answered there.
constexpr int64_t kSilenceMillis = 1000;
constexpr int64_t kPassOverMillis = 5000;
// After the start, the time that a monitor has to connect and to ask for the first time.
constexpr int64_t kFirstWordMillis = 2000;
constexpr auto kStep = std::chrono::milliseconds(2);
// A monitor among several asks small things, and should notice soon.
constexpr int64_t kMonitorSeconds = 3;

int64_t now_millis() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// A quarter of the workers is left for other regions, one at least where there are two.
int64_t places_of(int64_t workers) {
    return std::max<int64_t>(1, workers - std::max<int64_t>(1, workers / 4));
}

}  // namespace

Region::Region(const RegionConfig &config, const Config &all)
    : config_(config), watched_(config.reach) {
    if (!config.has_database) return;
    if (all.regions.many())
        watched_.statement_seconds = std::min(watched_.statement_seconds, kMonitorSeconds);
    monitor_ = std::make_unique<Monitor>(watched_, config.name);
    rooms_[0].places = places_of(all.workers);
    rooms_[1].places = places_of(all.sign_in_workers);
}

void Region::watch() {
    watched_since_ = now_millis();
    monitor_->start();
}

bool Region::answers() const {
    // The monitor may have failed where others are still served.
    return monitor_->health() != Health::down ||
           now_millis() - answered_at_.load() <= kSilenceMillis;
}

bool Region::is_new() const {
    return !monitor_->has_asked() && now_millis() - watched_since_.load() <= kFirstWordMillis;
}

void Region::await_first_word() const {
    while (is_new()) std::this_thread::sleep_for(kStep);
}

void Region::answered() {
    answered_at_ = now_millis();
}

void Region::kept_waiting() {
    waiting_until_ = now_millis() + kPassOverMillis;
}

bool Region::keeps_waiting() const {
    return now_millis() < waiting_until_.load();
}

Region::Door Region::door(bool sign_in) const {
    if (is_new()) return Door::full;
    if (!answers()) return Door::closed;
    const Room &room = rooms_[sign_in];
    if (room.taken.load() < room.places) return Door::open;
    const int64_t heard = std::max(answered_at_.load(), room.filled_at.load());
    return now_millis() - heard > kSilenceMillis ? Door::closed : Door::full;
}

Region::Visit::Visit(Region *region, bool sign_in) : region_(region), sign_in_(sign_in) {
    Room &room = region->rooms_[sign_in];
    while ((door_ = region->door(sign_in)) == Door::open) {
        int64_t taken = room.taken.load();
        if (taken >= room.places || !room.taken.compare_exchange_weak(taken, taken + 1)) continue;
        if (taken + 1 == room.places) room.filled_at = now_millis();
        return;
    }
}

Region::Visit::~Visit() {
    if (door_ == Door::open) --region_->rooms_[sign_in_].taken;
}

Regions::Regions(const Config &config)
    : home_(config.regions.home_at),
      proxy_(config.regions.proxy),
      patience_(config.statement_seconds) {
    for (const RegionConfig &region : config.regions.all) all_.emplace_back(region, config);
}

size_t Regions::named(std::string_view name) const {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const Region &region) {
        return !name.empty() && region.name() == name;
    });
    return static_cast<size_t>(found - all_.begin());
}

size_t Regions::of_host(std::string_view host) const {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const Region &region) {
        return !host.empty() && region.host() == host;
    });
    return static_cast<size_t>(found - all_.begin());
}

Routes Regions::routes(size_t index) const {
    Routes routes = all_[index].has_database() ? all_[index].monitor().routes() : nullptr;
    for (const Region &other : all_) {
        if (routes != nullptr) break;
        if (other.has_database()) routes = other.monitor().routes();
    }
    return routes;
}

std::string Regions::json() const {
    std::string list = "[";
    for (size_t at = 0; at < all_.size(); ++at) {
        const Region &region = all_[at];
        JsonObject one;
        one.add("region", region.name()).add("url", region.url());
        if (region.has_database()) one.add("status", name_of(region.monitor().health()));
        one.add_json("home", at == home_ ? "true" : "false");
        list += (at == 0 ? "" : ",") + one.text();
    }
    return list + "]";
}

void Regions::start() {
    for (Region &region : all_)
        if (region.has_database()) region.watch();
}

void Regions::stop() {
    for (Region &region : all_)
        if (region.has_database()) region.monitor().stop();
}

}  // namespace aegis::server

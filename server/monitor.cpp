// SPDX-License-Identifier: Apache-2.0
#include "monitor.hpp"

#include "json_reader.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <stdexcept>

namespace aegis::server {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(5000);
constexpr auto kStatusInterval = std::chrono::seconds(30);
// While the database is away: the connection has its own back-off.
constexpr auto kRetryInterval = std::chrono::milliseconds(250);

const char *hint_for(const Failure &failure) {
    if (failure.sqlstate == "28000")
        return "Log in as a role of its own that is a member of aegis_gateway only.";
    if (failure.sqlstate == "42501")
        return "GRANT aegis_gateway TO the login named in [database] user.";
    if (failure.sqlstate == "42883" || failure.sqlstate == "3F000")
        return "CREATE EXTENSION aegis in the database named in [database] name.";
    if (failure.kind == Failure::Kind::refused) return "The log of the database has the details.";
    return "Check [database] in the configuration; the gateway keeps trying.";
}

}  // namespace

const char *name_of(Health health) {
    switch (health) {
        case Health::down:
            return "down";
        case Health::degraded:
            return "degraded";
        case Health::ok:
            return "ok";
    }
    return "down";
}

Monitor::Monitor(const DatabaseConfig &config, std::string region)
    : database_(config), region_(std::move(region)), wake_fd_(eventfd(0, EFD_CLOEXEC)) {
    if (wake_fd_ < 0) throw std::runtime_error("cannot create an event descriptor");
}

Monitor::~Monitor() {
    stop();
    close(wake_fd_);
}

void Monitor::log(Level level, std::string_view event,
                  const std::vector<std::pair<std::string_view, std::string>> &fields) const {
    std::vector<std::pair<std::string_view, std::string>> all;
    all.reserve(fields.size() + 1);
    if (!region_.empty()) all.emplace_back("region", region_);
    all.insert(all.end(), fields.begin(), fields.end());
    log_event(level, event, all);
}

// Whoever swaps two databases in the configuration should not have to guess.
bool Monitor::is_of_this_region(const std::string &health) const {
    return region_.empty() || JsonReader(health).text("region").value_or("") == region_;
}

std::string Monitor::database_health() const {
    std::lock_guard<std::mutex> guard(lock_);
    return database_health_;
}

std::string Monitor::database_status() const {
    std::lock_guard<std::mutex> guard(lock_);
    return database_status_;
}

void Monitor::refresh_status() {
    const auto now = std::chrono::steady_clock::now();
    if (now < status_due_) return;
    Failure ignored_when_older;
    std::optional<std::string> status = database_.status(&ignored_when_older);
    status_due_ = now + kStatusInterval;
    if (!status) return;  // the last word outlives a loss
    std::lock_guard<std::mutex> guard(lock_);
    database_status_ = std::move(*status);
}

bool Monitor::refresh(Failure *failure) {
    bool was_connected = database_.connected();
    std::optional<std::vector<Route>> routes = database_.routes(failure);
    std::optional<std::string> health;
    if (routes) {
        Failure ignored_when_older;
        health = database_.health(&ignored_when_older);
        refresh_status();
        Routes known = std::atomic_load(&routes_);
        if (known == nullptr || !known->same_as(*routes)) {
            auto table = std::make_shared<const RouteTable>(std::move(*routes));
            log(Level::info, "routes_loaded", {{"count", std::to_string(table->size())}});
            std::atomic_store(&routes_, Routes(std::move(table)));
        }
    }
    {
        std::lock_guard<std::mutex> guard(lock_);
        database_health_ = health.value_or("null");
    }
    // The word of the database counts when it says less than ok.
    bool well = health && health->find("\"down\"") == std::string::npos &&
                health->find("\"degraded\"") == std::string::npos;
    bool stranger = health && !is_of_this_region(*health);
    bool reached = database_.connected() && !stranger;
    health_ =
        !reached ? Health::down : (routes_ != nullptr && well ? Health::ok : Health::degraded);
    has_asked_ = true;
    if (!was_connected || !database_.connected()) listening_ = false;

    if (stranger) {
        failure->kind = Failure::Kind::refused;
        failure->message = "the database is that of another region";
    }
    std::string word = routes && !stranger ? "" : failure->sqlstate + failure->message;
    if (word != last_word_) {
        if (word.empty())
            log(Level::info, "database_reached", {});
        else
            log(Level::error,
                failure->kind == Failure::Kind::unavailable ? "database_unreachable"
                                                            : "database_refused",
                {{"sqlstate", failure->sqlstate},
                 {"message", failure->message},
                 {"hint", stranger ? "Compare [regions] in the configuration with aegis.region "
                                     "of the database."
                                   : hint_for(*failure)}});
        last_word_ = word;
    }
    return routes_ != nullptr && word.empty();
}

void Monitor::start() {
    thread_ = std::thread([this] { run(); });
}

void Monitor::stop() {
    stop_ = true;
    uint64_t one = 1;
    if (write(wake_fd_, &one, sizeof(one)) != sizeof(one)) log_event(Level::error, "wake_failed");
    if (thread_.joinable()) thread_.join();
}

bool Monitor::round() {
    Failure failure;
    const bool fresh = refresh(&failure);
    if (fresh && !listening_ && !listen_refused_) {
        Failure refusal;
        listening_ = database_.listen(&refusal);
        if (!listening_ && refusal.kind == Failure::Kind::refused) {
            // Not asked again: a change of routes then takes up to the interval to arrive.
            listen_refused_ = true;
            log(Level::warn, "listen_refused", {{"sqlstate", refusal.sqlstate}});
        }
    }
    return fresh;
}

void Monitor::run() {
    while (!stop_) {
        bool fresh = false;
        try {
            fresh = round();
        } catch (const std::exception &error) {
            log_failure("monitor_failed", error);
        }
        (void)database_.wait_for_change(fresh ? kInterval : kRetryInterval, wake_fd_);
    }
}

}  // namespace aegis::server

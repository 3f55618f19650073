// SPDX-License-Identifier: Apache-2.0
#include "replica.hpp"

#include "log.hpp"

namespace aegis::server {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(1000);

}  // namespace

Replica::Replica(const Config &config) : config_(config), database_(config.replica) {}

Replica::~Replica() {
    stop();
}

void Replica::start() {
    if (config_.has_replica) thread_ = std::thread([this] { run(); });
}

void Replica::stop() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        stop_ = true;
    }
    ended_.notify_all();
    if (thread_.joinable()) thread_.join();
}

const char *Replica::fault() {
    Failure failure;
    std::optional<ReplicaState> state = database_.replica_state(&failure);
    if (!state) return "it does not answer";
    if (!state->standby) return "it is no standby";
    // What it has is then of no known age.
    if (!state->streaming) return "it receives nothing from its primary";
    if (!state->lag) return "it has applied nothing yet";
    if (*state->lag > std::chrono::seconds(config_.replica_lag_seconds))
        return "it is too far behind";
    return nullptr;
}

void Replica::round() {
    const char *found = fault();
    usable_ = found == nullptr;
    const std::string word = found != nullptr ? found : "";
    if (word == last_word_) return;
    if (word.empty())
        log_event(Level::info, "replica_used");
    else
        log_event(Level::warn, "replica_left_out", {{"reason", word}});
    last_word_ = word;
}

void Replica::run() {
    std::unique_lock<std::mutex> guard(lock_);
    while (!stop_) {
        guard.unlock();
        try {
            round();
        } catch (const std::exception &error) {
            usable_ = false;  // nobody knows
            log_failure("replica_failed", error);
        }
        guard.lock();
        ended_.wait_for(guard, kInterval, [this] { return stop_; });
    }
    usable_ = false;
}

}  // namespace aegis::server

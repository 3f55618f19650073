// SPDX-License-Identifier: Apache-2.0
#include "agent_worker.hpp"

#include <poll.h>

#include <exception>

#include "log.hpp"
#include "outbound_file.hpp"
#include "outbound_http.hpp"
#include "outbound_mail.hpp"

namespace aegis::server {

namespace {

// How long the result of a call is kept for a database that does not answer. Its lease is longer.
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(200);

}  // namespace

AgentWorker::AgentWorker(const AgentConfig &config, int stop_fd, const Deadline &deadline)
    : config_(config), stop_fd_(stop_fd), deadline_(deadline), database_(config) {}

bool AgentWorker::is_stopping() const {
    pollfd stop{stop_fd_, POLLIN, 0};
    return poll(&stop, 1, 0) > 0;
}

void AgentWorker::run() {
    while (!is_stopping()) {
        if (work()) continue;
        database_.wait_for_work(is_cut_off_ ? std::chrono::milliseconds(kPause)
                                            : std::chrono::seconds(config_.poll_seconds),
                                stop_fd_);
    }
}

void AgentWorker::note_failure(const Failure &failure) {
    if (!is_cut_off_)
        log_event(Level::error, "database_failed",
                  {{"sqlstate", failure.sqlstate.empty() ? "none" : failure.sqlstate},
                   {"message", failure.kind == Failure::Kind::unavailable ? failure.message : ""}});
    is_cut_off_ = true;
}

bool AgentWorker::work() {
    Failure failure;
    std::optional<std::vector<Task>> tasks = database_.claim(&failure);
    if (!tasks) {
        note_failure(failure);
        return false;
    }
    if (is_cut_off_) log_event(Level::info, "database_back");
    is_cut_off_ = false;
    for (const Task &task : *tasks) {
        const auto started = std::chrono::steady_clock::now();
        const Outcome outcome = carry(task);
        const std::chrono::duration<double, std::milli> taken =
            std::chrono::steady_clock::now() - started;
        log_event(outcome.kind == Outcome::Kind::delivered ? Level::info : Level::warn, "carried",
                  {{"job", task.id},
                   {"kind", task.kind},
                   {"destination", task.destination},
                   {"attempt", task.attempt},
                   {"outcome", outcome.error.empty() ? "delivered" : outcome.error},
                   {"duration_ms", std::to_string(static_cast<int64_t>(taken.count()))}});
        hand_in(task, outcome);
    }
    return !tasks->empty();
}

Outcome AgentWorker::carry(const Task &task) const {
    try {
        if (task.transport == "http") return carry_http(config_, task, deadline_);
        if (task.transport == "file") return carry_file(config_, task);
        if (task.transport == "mail") return carry_mail(config_, task, deadline_);
    } catch (const std::exception &error) {
        log_event(Level::error, "internal_error", {{"job", task.id}, {"error", error.what()}});
        return Outcome::retry("internal_error");
    }
    return Outcome::retry("transport_unknown");
}

// The database may be starting anew: what was sent is not sent again for want of a word.
void AgentWorker::hand_in(const Task &task, const Outcome &outcome) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        Failure failure;
        std::optional<std::string> state = database_.finish(task, outcome, &failure);
        if (state) {
            if (*state == "dead" || *state == "lost")
                log_event(Level::warn, *state == "dead" ? "given_up" : "lease_lost",
                          {{"job", task.id}, {"kind", task.kind}});
            return;
        }
        note_failure(failure);
        const bool may_pass =
            failure.kind != Failure::Kind::refused || failure.sqlstate.compare(0, 2, "40") == 0;
        if (!may_pass || is_over(deadline_) || std::chrono::steady_clock::now() >= until) return;
        pollfd none{-1, 0, 0};
        poll(&none, 1, static_cast<int>(kPause.count()));
    }
}

}  // namespace aegis::server

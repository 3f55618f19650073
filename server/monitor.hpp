// SPDX-License-Identifier: Apache-2.0
// The thread that keeps the gateway's knowledge of the database fresh: the copy of the routes, on a
// timer and on NOTIFY aegis_route, and the health that /api/health reports without asking anyone.
#pragma once

#include "db.hpp"
#include "log.hpp"
#include "routes.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace aegis::server {

enum class Health { down, degraded, ok };

const char *name_of(Health health);

class Monitor {
 public:
    // region: as the database has to call itself; empty: whatever it says.
    explicit Monitor(const DatabaseConfig &config, std::string region = "");
    ~Monitor();

    // Asks the database once. A failure is also kept in the health. True when routes came.
    bool refresh(Failure *failure);
    void start();
    void stop();

    // Null until the database was reached for the first time; the last copy outlives a loss.
    Routes routes() const { return std::atomic_load(&routes_); }
    Health health() const { return health_.load(); }
    // Whether the database was asked once, whatever came of it.
    bool has_asked() const { return has_asked_.load(); }
    // What aegis.health() said last, as JSON; "null" when it cannot be had.
    std::string database_health() const;
    // What aegis.status() said last, at most half a minute old while the database is reached;
    // "null" before it was.
    std::string database_status() const;

 private:
    void run();
    bool round();
    void refresh_status();

    void log(Level level, std::string_view event,
             const std::vector<std::pair<std::string_view, std::string>> &fields) const;
    bool is_of_this_region(const std::string &health) const;

    Database database_;
    const std::string region_;
    Routes routes_;
    std::atomic<Health> health_{Health::down};
    std::atomic<bool> has_asked_{false};
    mutable std::mutex lock_;
    std::string database_health_ = "null";
    std::string database_status_ = "null";
    std::chrono::steady_clock::time_point status_due_{};
    std::string last_word_;  // what was logged last, so that a lasting fault is one line
    bool listening_ = false;
    bool listen_refused_ = false;
    int wake_fd_ = -1;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace aegis::server

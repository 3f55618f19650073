// SPDX-License-Identifier: Apache-2.0
// The thread that keeps the gateway's knowledge of the database fresh: the copy of the routes, on a
// timer and on NOTIFY aegis_route, and the health that /api/health reports without asking anyone.
#pragma once

#include "db.hpp"
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
    explicit Monitor(const Config &config);
    ~Monitor();

    // Asks the database once. A failure is also kept in the health. True when routes came.
    bool refresh(Failure *failure);
    void start();
    void stop();

    // Null until the database was reached for the first time; the last copy outlives a loss.
    Routes routes() const { return std::atomic_load(&routes_); }
    Health health() const { return health_.load(); }
    // What aegis.health() said last, as JSON; "null" when it cannot be had.
    std::string database_health() const;

 private:
    void run();

    Database database_;
    Routes routes_;
    std::atomic<Health> health_{Health::down};
    mutable std::mutex lock_;
    std::string database_health_ = "null";
    std::string last_word_;  // what was logged last, so that a lasting fault is one line
    bool listening_ = false;
    bool listen_refused_ = false;
    int wake_fd_ = -1;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace aegis::server

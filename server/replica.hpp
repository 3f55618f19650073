// SPDX-License-Identifier: Apache-2.0
// A hot standby that may answer what is public: the thread that looks whether it keeps up with the
// primary. docs/replica.md.
#pragma once

#include "db.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace aegis::server {

class Replica {
 public:
    explicit Replica(const Config &config);
    ~Replica();

    void start();  // does nothing without a [replica]
    void stop();

    // Whether it answered a moment ago, receives from its primary, and is not too far behind.
    bool usable() const { return usable_.load(); }

 private:
    void run();
    void round();
    const char *fault();  // nullptr: there is none

    const Config &config_;
    Database database_;
    std::atomic<bool> usable_{false};
    std::string last_word_ = "unknown";
    std::mutex lock_;
    std::condition_variable ended_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace aegis::server

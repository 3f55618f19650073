// SPDX-License-Identifier: Apache-2.0
// The settings as they are now. SIGHUP puts another set in their place while requests run; whoever
// holds one keeps it whole, so no request sees some of the old and some of the new.
#pragma once

#include "config.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace aegis::server {

class Live {
 public:
    explicit Live(Config config) { set(std::move(config)); }
    Live(const Live &) = delete;
    Live &operator=(const Live &) = delete;

    std::shared_ptr<const Config> now() const { return std::atomic_load(&now_); }
    // From one thread.
    void set(Config config) {
        auto made = std::make_shared<const Config>(std::move(config));
        const Config *latest = made.get();
        std::atomic_store(&now_, std::move(made));
        latest_.store(latest);
    }
    // Without a lock where nothing has changed, which is nearly always. A set that is held keeps
    // its address, so no other one can be taken for it.
    void refresh(std::shared_ptr<const Config> *held) const {
        if (held->get() != latest_.load()) *held = now();
    }

 private:
    std::shared_ptr<const Config> now_;
    std::atomic<const Config *> latest_{nullptr};
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// Requests whose region has no place for them now. They wait here and not in a worker, so that a
// region which is slow, and has many clients, keeps waiting nobody but its own. docs/regions.md.
#pragma once

#include "connection.hpp"
#include "region.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

namespace aegis::server {

class RegionWait {
 public:
    // capacity, and the bytes that bodies hold meanwhile: of each region, so that one with many
    // clients leaves room for those of others.
    RegionWait(const Regions &regions, bool sign_in, size_t capacity, int64_t most_bytes);

    // connection->verdict.to is set. One that waited before goes to the head, and always finds
    // room. False when full.
    bool push(Connection *connection);
    // One whose region has a place, or is away, or that has waited for too long; nullptr: none.
    Connection *take();
    // Whether others wait for the region: who comes now goes behind them.
    bool is_waited_for(size_t region) const;
    size_t size() const { return size_; }

 private:
    struct Line {
        std::deque<Connection *> all;
        int64_t bytes = 0;
    };

    const Regions &regions_;
    const bool sign_in_;
    const size_t capacity_;
    const int64_t most_bytes_;
    std::atomic<size_t> size_{0};
    mutable std::mutex lock_;
    std::vector<Line> lines_;  // by region
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
#include "region_wait.hpp"

namespace aegis::server {

RegionWait::RegionWait(const Regions &regions, bool sign_in, size_t capacity, int64_t most_bytes)
    : regions_(regions),
      sign_in_(sign_in),
      capacity_(capacity),
      most_bytes_(most_bytes),
      lines_(regions.size()) {}

bool RegionWait::push(Connection *connection) {
    std::lock_guard<std::mutex> guard(lock_);
    Line &line = lines_[connection->verdict.to->region];
    const int64_t bytes = connection->held.bytes();
    if (connection->verdict.waits_since) {
        line.all.push_front(connection);
    } else {
        // The first body may be larger than all together.
        const bool too_much = line.bytes > 0 && bytes > 0 && bytes > most_bytes_ - line.bytes;
        if (line.all.size() >= capacity_ || too_much) return false;
        line.all.push_back(connection);
        connection->verdict.waits_since = std::chrono::steady_clock::now();
    }
    line.bytes += bytes;
    ++size_;
    return true;
}

Connection *RegionWait::take() {
    if (size_ == 0) return nullptr;
    const auto now = std::chrono::steady_clock::now();
    std::lock_guard<std::mutex> guard(lock_);
    for (size_t at = 0; at < lines_.size(); ++at) {
        Line &line = lines_[at];
        if (line.all.empty()) continue;
        Connection *first = line.all.front();
        if (regions_.at(at).door(sign_in_) == Region::Door::full &&
            now - *first->verdict.waits_since < regions_.patience())
            continue;
        line.all.pop_front();
        line.bytes -= first->held.bytes();
        --size_;
        return first;
    }
    return nullptr;
}

bool RegionWait::is_waited_for(size_t region) const {
    if (size_ == 0) return false;
    std::lock_guard<std::mutex> guard(lock_);
    return !lines_[region].all.empty();
}

}  // namespace aegis::server

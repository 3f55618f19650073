// SPDX-License-Identifier: Apache-2.0
#include "region_wait.hpp"

namespace aegis::server {

RegionWait::RegionWait(const Regions &regions, bool sign_in, size_t capacity)
    : regions_(regions), sign_in_(sign_in), capacity_(capacity), queues_(regions.size()) {}

bool RegionWait::push(Connection *connection) {
    std::lock_guard<std::mutex> guard(lock_);
    std::deque<Connection *> &queue = queues_[connection->verdict.to->region];
    if (connection->verdict.waits_since) {
        queue.push_front(connection);
    } else {
        if (queue.size() >= capacity_) return false;
        connection->verdict.waits_since = std::chrono::steady_clock::now();
        queue.push_back(connection);
    }
    ++size_;
    return true;
}

Connection *RegionWait::take() {
    if (size_ == 0) return nullptr;
    const auto now = std::chrono::steady_clock::now();
    std::lock_guard<std::mutex> guard(lock_);
    for (size_t at = 0; at < queues_.size(); ++at) {
        if (queues_[at].empty()) continue;
        Connection *first = queues_[at].front();
        if (regions_.at(at).door(sign_in_) == Region::Door::full &&
            now - *first->verdict.waits_since < regions_.patience())
            continue;
        queues_[at].pop_front();
        --size_;
        return first;
    }
    return nullptr;
}

bool RegionWait::is_waited_for(size_t region) const {
    if (size_ == 0) return false;
    std::lock_guard<std::mutex> guard(lock_);
    return !queues_[region].empty();
}

}  // namespace aegis::server

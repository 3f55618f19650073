// SPDX-License-Identifier: Apache-2.0
#include "held_bytes.hpp"

#include "rate.hpp"

namespace aegis::server {

std::optional<HeldBytes::Share> HeldBytes::take(const std::string &peer, size_t bytes) {
    std::string address = counted_address(peer);
    const auto more = static_cast<int64_t>(bytes);
    std::lock_guard<std::mutex> guard(lock_);
    if (more > most_ - held_) return std::nullopt;
    const auto before = by_address_.find(address);
    const bool first = before == by_address_.end();
    if (!first && more > most_of_one_ - before->second.bytes) return std::nullopt;
    const bool modest = (first && more <= kSmall) || held_ == 0;
    if (!modest && more > most_of_all_but_small_ - held_) return std::nullopt;
    const auto whose = first ? by_address_.try_emplace(std::move(address)).first : before;
    Use &use = whose->second;
    use.bytes += more;
    ++use.shares;
    held_ += more;
    return Share(this, &*whose, more);
}

void HeldBytes::give_back(Uses::value_type *whose, int64_t bytes) {
    std::lock_guard<std::mutex> guard(lock_);
    held_ -= bytes;
    whose->second.bytes -= bytes;
    if (--whose->second.shares == 0) by_address_.erase(by_address_.find(whose->first));
}

int64_t HeldBytes::held() const {
    std::lock_guard<std::mutex> guard(lock_);
    return held_;
}

}  // namespace aegis::server

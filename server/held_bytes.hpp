// SPDX-License-Identifier: Apache-2.0
// The bytes that all unfinished bodies, and answers that their clients do not take, hold together.
// Whoever holds some owns a share of them, which ends with its owner, however that comes about.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace aegis::server {

class HeldBytes {
 public:
    class Share {
     public:
        Share() = default;
        Share(Share &&other) noexcept
            : of_(std::exchange(other.of_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
        Share &operator=(Share &&other) noexcept {
            Share moved(std::move(other));
            std::swap(of_, moved.of_);
            std::swap(bytes_, moved.bytes_);
            return *this;
        }
        ~Share() { give_back(); }

        bool empty() const { return of_ == nullptr; }
        void give_back() {
            if (of_ != nullptr) of_->held_ -= bytes_;
            of_ = nullptr;
            bytes_ = 0;
        }

     private:
        friend class HeldBytes;
        Share(HeldBytes *of, int64_t bytes) : of_(of), bytes_(bytes) {}
        HeldBytes *of_ = nullptr;
        int64_t bytes_ = 0;
    };

    // Outlives its shares.
    explicit HeldBytes(int64_t most) : most_(most) {}
    HeldBytes(const HeldBytes &) = delete;
    HeldBytes &operator=(const HeldBytes &) = delete;

    // Nothing when all of them together would be too many.
    std::optional<Share> take(size_t bytes) {
        Share share(this, static_cast<int64_t>(bytes));
        if ((held_ += share.bytes_) > most_) return std::nullopt;
        return share;
    }
    int64_t held() const { return held_; }

 private:
    const int64_t most_;
    std::atomic<int64_t> held_{0};
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// The bytes that all unfinished bodies, and answers that their clients do not take, hold together.
// Whoever holds some owns a share of them, which ends with its owner, however that comes about. A
// body counts from its head on, before a byte of it is there: so one address gets a part of the
// whole, or it would take all of it with heads alone; and a few addresses leave a part for those
// who hold nothing and want little, as to sign in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace aegis::server {

class HeldBytes {
    struct Use {
        int64_t bytes = 0;
        size_t shares = 0;
    };
    using Uses = std::unordered_map<std::string, Use>;

 public:
    class Share {
     public:
        Share() = default;
        Share(Share &&other) noexcept
            : of_(std::exchange(other.of_, nullptr)),
              whose_(std::exchange(other.whose_, nullptr)),
              bytes_(std::exchange(other.bytes_, 0)) {}
        Share &operator=(Share &&other) noexcept {
            Share moved(std::move(other));
            std::swap(of_, moved.of_);
            std::swap(whose_, moved.whose_);
            std::swap(bytes_, moved.bytes_);
            return *this;
        }
        ~Share() { give_back(); }

        bool empty() const { return of_ == nullptr; }
        int64_t bytes() const { return bytes_; }
        void give_back() {
            if (of_ != nullptr) of_->give_back(whose_, bytes_);
            of_ = nullptr;
            whose_ = nullptr;
            bytes_ = 0;
        }

     private:
        friend class HeldBytes;
        Share(HeldBytes *of, Uses::value_type *whose, int64_t bytes)
            : of_(of), whose_(whose), bytes_(bytes) {}
        HeldBytes *of_ = nullptr;
        Uses::value_type *whose_ = nullptr;
        int64_t bytes_ = 0;
    };

    // Outlives its shares.
    explicit HeldBytes(int64_t most)
        : most_(most), most_of_one_(most / 4), most_of_all_but_small_(most - most / 4) {}
    HeldBytes(const HeldBytes &) = delete;
    HeldBytes &operator=(const HeldBytes &) = delete;

    // Nothing when all of them together would be too many, or those of the peer's address more than
    // a quarter of that. An address that has no share gets one of any size: the largest body that
    // the configuration allows may be larger than the quarter. The last quarter is for an address
    // that has no share and asks for at most kSmall, or for whoever comes when nothing is held.
    static constexpr int64_t kSmall = 65536;
    std::optional<Share> take(const std::string &peer, size_t bytes);
    int64_t held() const;

 private:
    void give_back(Uses::value_type *whose, int64_t bytes);

    const int64_t most_;
    const int64_t most_of_one_;
    const int64_t most_of_all_but_small_;
    mutable std::mutex lock_;
    int64_t held_ = 0;
    Uses by_address_;
};

}  // namespace aegis::server

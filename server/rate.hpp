// SPDX-License-Identifier: Apache-2.0
// How many requests an address and a credential get: token buckets that refill steadily, told in
// the fields RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11). A bucket is
// one number, found by a keyed hash: nobody fills the table, and nobody chooses whose bucket is
// shared. docs/gateway.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace aegis::server {

struct RateUse {
    bool allowed = true;
    int64_t remaining = 0;
    int64_t reset_seconds = 0;  // until the bucket is full again
    int64_t retry_seconds = 0;  // when it was not allowed
};

class RateBuckets {
 public:
    RateBuckets();
    // Takes one of so many a minute, at least 1; under another number later, a bucket is as full as
    // it was. now_micros of any clock that does not go back.
    RateUse take(std::string_view key, int64_t per_minute, int64_t now_micros);

 private:
    static constexpr size_t kBuckets = 1 << 16;
    uint8_t seed_[32];
    // Up to when a bucket has used its rate: at most a minute ahead of now.
    std::unique_ptr<std::atomic<int64_t>[]> used_until_;
};

// The address of a peer as it is counted: an IPv4 address, or the /64 of an IPv6 one, which is what
// one customer has.
std::string counted_address(const std::string &peer);

// How many connections each address has, and whether it may have another. Whoever was counted owns
// a place, which ends with its owner: to leave needs no memory and cannot fail.
class AddressCount {
    using Counts = std::unordered_map<std::string, int64_t>;

 public:
    class Place {
     public:
        Place() = default;
        Place(Place &&other) noexcept
            : of_(std::exchange(other.of_, nullptr)),
              whose_(std::exchange(other.whose_, nullptr)) {}
        Place &operator=(Place &&other) noexcept {
            Place moved(std::move(other));
            std::swap(of_, moved.of_);
            std::swap(whose_, moved.whose_);
            return *this;
        }
        ~Place() {
            if (of_ != nullptr) of_->leave(whose_);
        }

     private:
        friend class AddressCount;
        Place(AddressCount *of, Counts::value_type *whose) : of_(of), whose_(whose) {}
        AddressCount *of_ = nullptr;
        Counts::value_type *whose_ = nullptr;
    };

    // Outlives its places.
    AddressCount() = default;
    AddressCount(const AddressCount &) = delete;
    AddressCount &operator=(const AddressCount &) = delete;

    // Nothing: it has as many as it may, and this one is not counted.
    std::optional<Place> enter(const std::string &peer, int64_t most);

 private:
    void leave(Counts::value_type *whose) noexcept;

    Counts counts_;
};

// Requests a minute; 0: any number, and nothing is counted.
struct Rates {
    int64_t address = 0;
    int64_t principal = 0;
};

struct RateVerdict {
    bool allowed = true;
    int64_t retry_seconds = 0;
    std::string fields;  // lines of the answer's head
};

class RateLimits {
 public:
    // principal: the credential as it was sent; empty: none. What an address may not, is not taken
    // from the credential.
    RateVerdict take(const Rates &rates, const std::string &peer, std::string_view principal);

 private:
    RateBuckets address_;
    RateBuckets principal_;
};

}  // namespace aegis::server

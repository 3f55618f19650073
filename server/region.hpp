// SPDX-License-Identifier: Apache-2.0
// The regions as the gateway meets them: what each database says of itself, and how many workers
// may wait for it, so that one that is away or does not answer takes nobody along.
// docs/regions.md.
#pragma once

#include "monitor.hpp"

#include <atomic>
#include <deque>
#include <memory>

namespace aegis::server {

class Region {
 public:
    Region(const RegionConfig &config, const Config &all);

    const std::string &name() const { return config_.name; }
    const std::string &url() const { return config_.url; }
    const std::string &host() const { return config_.host; }
    bool has_database() const { return config_.has_database; }
    const DatabaseConfig &reach() const { return config_.reach; }
    // Of one that has a database.
    void watch();  // starts its monitor
    Monitor &monitor() { return *monitor_; }
    const Monitor &monitor() const { return *monitor_; }

    // Whether it is worth asking: its monitor reaches it, or somebody was answered just now.
    bool answers() const;
    // A gateway that has just started has heard of nobody, which is no sign that a region is away.
    bool is_new() const;
    void await_first_word() const;
    void answered();  // the database said something
    // It did not, in time: for a while it is not worth asking what may be asked elsewhere.
    void kept_waiting();
    bool keeps_waiting() const;

    // What a request meets. full: it may wait for a place; closed: the region is away, or everybody
    // who may be there waits and nobody is answered.
    enum class Door { open, full, closed };
    Door door(bool sign_in) const;

    // A worker's stay. Never are so many there at once that none is left for another region.
    class Visit {
     public:
        Visit(Region *region, bool sign_in);
        ~Visit();
        Visit(const Visit &) = delete;
        Visit &operator=(const Visit &) = delete;
        Door door() const { return door_; }  // open: admitted

     private:
        Region *const region_;
        const bool sign_in_;
        Door door_ = Door::closed;
    };

 private:
    struct Room {
        int64_t places = 0;
        std::atomic<int64_t> taken{0};
        std::atomic<int64_t> filled_at{0};  // when the last place was taken
    };

    const RegionConfig &config_;
    DatabaseConfig watched_;  // as the monitor reaches it
    std::unique_ptr<Monitor> monitor_;
    Room rooms_[2];  // of workers, and of workers for sign-ins
    // Milliseconds of a clock that does not go back.
    std::atomic<int64_t> watched_since_{0};
    std::atomic<int64_t> answered_at_{0};
    std::atomic<int64_t> waiting_until_{0};
};

class Regions {
 public:
    explicit Regions(const Config &config);

    bool many() const { return all_.size() > 1; }
    bool proxy() const { return proxy_; }
    size_t size() const { return all_.size(); }
    size_t home() const { return home_; }
    Region &at(size_t index) { return all_[index]; }
    const Region &at(size_t index) const { return all_[index]; }
    // For so long a request waits for a place in its region.
    std::chrono::seconds patience() const { return patience_; }
    // size() when there is none of that name, or of that host.
    size_t named(std::string_view name) const;
    size_t of_host(std::string_view host) const;

    // Of the region, or, since all run the same handlers, of any that is known.
    Routes routes(size_t index) const;
    // [{"region", "url", "status", "home"}, …], for everybody.
    std::string json() const;

    void start();  // the monitors
    void stop();

 private:
    std::deque<Region> all_;
    const size_t home_;
    const bool proxy_;
    const std::chrono::seconds patience_;
};

}  // namespace aegis::server

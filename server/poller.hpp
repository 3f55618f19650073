// SPDX-License-Identifier: Apache-2.0
// Accepts connections and keeps all that wait for their client in one epoll set, so that none of
// them owns a thread. A connection belongs either to the poller (parked) or to the one worker that
// took it. Workers take what is ready straight from the set: a thread between them and it would
// cost each request a change of threads. The thread of run() watches deadlines, and collects what
// is ready while all workers are busy.
#pragma once

#include "connection.hpp"
#include "durable_file.hpp"
#include "live.hpp"
#include "rate.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace aegis::server {

class ListenError : public std::runtime_error {
 public:
    ListenError(const std::string &message, std::string hint)
        : std::runtime_error(message), hint_(std::move(hint)) {}
    const std::string &hint() const { return hint_; }

 private:
    std::string hint_;
};

class Poller {
 public:
    // Takes a connection that is ready or expired; called on the thread of run(). When it throws,
    // the connection is released.
    using Handover = std::function<void(Connection *)>;

    Poller(const Live &live, Handover handover);
    ~Poller();

    // Throws ListenError.
    void listen(const Endpoint &endpoint, Listener listener);
    void set_tls(TlsContext context);

    // Until drain() was called and every connection has ended or the drain time is over.
    void run();
    // Stops accepting, closes idle connections, lets the others finish. From any thread.
    void drain();
    bool draining() const { return draining_; }

    // For a worker without work: waits a moment for a connection that is ready. Often nullptr.
    Connection *next();
    // A worker is idle from before it last looks into its queue until it has what next() gave.
    class Idle {
     public:
        explicit Idle(Poller *poller) : poller_(poller) { ++poller->idle_workers_; }
        ~Idle() { --poller_->idle_workers_; }
        Idle(const Idle &) = delete;
        Idle &operator=(const Idle &) = delete;

     private:
        Poller *const poller_;
    };
    // Lets an idle worker look into its queue.
    void call_worker();

    // Waits for the client until connection->phase_deadline. The caller gives the connection up.
    void park(Connection *connection, Io want);
    // Closes a connection that the caller holds. Who is just arming it keeps its descriptor until
    // then.
    void release(Connection *connection) noexcept;

    size_t connections() const { return count_; }

 private:
    struct Door {
        int fd;
        Listener listener;
    };

    void accept_from(const Door &door);
    void admit(Descriptor accepted, const Door &door, std::string peer);
    bool make_room();
    Connection *take(uint64_t id);
    void collect();
    void hand_over(Connection *connection) noexcept;
    void signal(int fd) noexcept;
    void sweep();
    void erase(uint64_t id) noexcept;  // with the lock held
    static bool is_idle(const Connection &connection);

    const Live &live_;
    Handover handover_;
    int epoll_fd_;
    int wake_fd_;  // wakes run()
    int call_fd_;  // wakes a worker in next()
    std::mutex door_lock_;
    std::vector<Door> doors_;
    TlsContext tls_;
    std::atomic<int> idle_workers_{0};
    std::atomic<bool> draining_{false};
    std::chrono::steady_clock::time_point drain_deadline_{};
    std::atomic<size_t> count_{0};

    std::mutex lock_;
    AddressCount addresses_;
    // Shared with whoever arms one, outside the lock: its descriptor must not become another's.
    std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;
    uint64_t next_id_;
};

}  // namespace aegis::server

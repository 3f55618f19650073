// SPDX-License-Identifier: Apache-2.0
// The threads that move connections on, each with a database connection of its own, behind a
// bounded queue. Anonymous writes (sign-in: a password hash each) have a pool of their own, so that
// a flood of them leaves the others alone.
#pragma once

#include "gateway.hpp"
#include "poller.hpp"
#include "region_wait.hpp"
#include "stream.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace aegis::server {

// Bounded; connections in it belong to it.
class Queue {
 public:
    explicit Queue(size_t capacity) : capacity_(capacity) {}

    bool push(Connection *connection);                // false when full or closed
    Connection *pop(std::chrono::milliseconds time);  // waits for so long; nullptr: none
    Connection *try_pop();
    bool closed() const { return closed_; }
    void close();
    size_t size() const { return size_; }

 private:
    Connection *first();  // with the lock held

    const size_t capacity_;
    std::mutex lock_;
    std::condition_variable filled_;
    std::deque<Connection *> waiting_;
    // Written with the lock held, read without it: each worker looks before each request, and there
    // is mostly nothing. One that is idle and looked too early is called: the one who pushes writes
    // this and then reads the count of idle workers, a worker does the reverse, so neither order
    // may be weakened.
    std::atomic<size_t> size_{0};
    std::atomic<bool> closed_{false};
};

class Workers {
 public:
    Workers(const Config &config, const Live &live, const Regions &regions, const Gateway &gateway,
            Metrics *metrics, HeldBytes *held);
    ~Workers();

    void start(Poller *poller);
    void stop();

    // From the poller: to a worker, or, when the queue is full, away with 503.
    void take(Connection *connection);
    size_t queued() const {
        return main_.size() + sign_in_.size() + waiting_[0].size() + waiting_[1].size();
    }

 private:
    struct Hands;  // what one thread works with

    void run(bool sign_in);
    // nullptr at the end.
    Connection *next();
    Connection *next_sign_in();
    bool queue(Connection *connection);
    void drive(Connection *connection, Hands *hands);
    void expire(Connection *connection);

    // Each moves on by one step. False: the connection was parked, handed over or released.
    bool step_hello(Connection *connection);
    bool step_handshake(Connection *connection);
    bool step_head(Connection *connection);
    bool step_body(Connection *connection);
    bool step_ready(Connection *connection, Hands *hands);
    bool step_write(Connection *connection, Hands *hands);
    bool step_linger(Connection *connection);

    void accept_head(Connection *connection);
    void refuse_head(Connection *connection, const Refusal &refusal);
    void refuse(Connection *connection, const Refusal &refusal);
    void begin_write(Connection *connection);
    void begin_linger(Connection *connection);
    bool park_or_release(Connection *connection, Io io);
    bool hold_answer(Connection *connection);
    void log(const Connection &connection, int status, std::string_view problem);

    const Config &config_;  // what does not change
    const Live &live_;
    const Gateway &gateway_;
    Metrics *const metrics_;
    HeldBytes *const held_;
    Poller *poller_ = nullptr;
    Queue main_;
    Queue sign_in_;
    RegionWait waiting_[2];  // for workers, and for workers of sign-ins
    std::vector<std::thread> threads_;
};

}  // namespace aegis::server

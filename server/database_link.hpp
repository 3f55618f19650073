// SPDX-License-Identifier: Apache-2.0
// One connection to the database, used by one thread. It knows libpq, deadlines, and how to come
// back after a loss; it knows no password, because none exists.
#pragma once

#include "database_config.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace aegis::server {

// Why the database gave no answer. The SQLSTATE is empty when the connection was lost.
struct Failure {
    enum class Kind {
        unavailable,  // no connection, or lost while asking: the outcome may be unknown
        timeout,
        refused,  // an error of the database, described by its SQLSTATE
    };
    Kind kind = Kind::unavailable;
    std::string sqlstate;
    std::string message;  // only for connecting and for statements of our own: no tenant's data
};

class DatabaseLink {
 public:
    struct ResultDeleter {
        void operator()(pg_result *result) const;
    };
    using Result = std::unique_ptr<pg_result, ResultDeleter>;

    // `program` names us in pg_stat_activity.
    DatabaseLink(const DatabaseConfig &config, const char *program);
    ~DatabaseLink();
    DatabaseLink(const DatabaseLink &) = delete;
    DatabaseLink &operator=(const DatabaseLink &) = delete;

    // Connects when there is no connection, or the server has ended it, unless the last attempt was
    // just now. Nothing of a statement is sent before.
    bool ensure(Failure *failure);
    // The connection is not what it should be: as if it could not be had.
    void give_up(const Failure &failure);
    // What libpq was given to send, sent and collected; nullptr: the failure says why. When its
    // time is over, that of the configuration or the patience, the connection is dropped, and the
    // server ends the statement by its own clock.
    Result finish(bool sent, Failure *failure, std::chrono::milliseconds patience = {});
    Result ask(const char *sql, Failure *failure, std::chrono::milliseconds patience = {});
    // Text parameters, text results; a null pointer is SQL's NULL.
    Result ask(const char *sql, const std::vector<const char *> &parameters, Failure *failure);

    // Waits up to the time for a notification. False when none came, at once when not connected.
    bool wait_for_word(std::chrono::milliseconds time, int wake_fd);

    bool connected() const { return connection_ != nullptr; }
    pg_conn *connection() const { return connection_; }
    // Grows with every new connection: what was prepared on an older one is gone.
    uint64_t generation() const { return generation_; }
    // Whether another attempt to connect would be made now.
    bool may_connect() const { return next_attempt_ <= std::chrono::steady_clock::now(); }

 private:
    bool has_word();
    bool is_over();
    bool connect(Failure *failure);
    void drop();
    void back_off(const Failure &failure);
    // Waits for the socket until the deadline; false on time-out or error.
    bool wait(short events, std::chrono::steady_clock::time_point deadline);
    Result collect(Failure *failure, std::chrono::milliseconds patience);
    Failure failure_of(const pg_result *result) const;

    const DatabaseConfig &config_;
    const char *program_;
    pg_conn *connection_ = nullptr;
    uint64_t generation_ = 0;
    std::chrono::steady_clock::time_point last_answer_{};
    std::chrono::steady_clock::time_point next_attempt_{};
    std::chrono::milliseconds back_off_{0};
    std::minstd_rand jitter_;
    Failure last_failure_;
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// One connection to the database, used by one thread: the statement of a request, the routes and
// the health. It knows libpq and how to come back after a loss; it knows no password, because none
// exists (Unix socket with peer, or TLS with certificates on both sides).
#pragma once

#include "config.hpp"
#include "routes.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pg_conn;
struct pg_result;

namespace aegis::server {

// What aegis.handle is given.
struct Call {
    std::string_view method;
    std::string target;
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    std::string_view body;
    std::string_view peer;
    std::string_view request_id;
};

struct Answer {
    int status = 0;
    std::vector<std::string> headers;  // flat: name, value, name, value
    std::string body;
};

// Why the database gave no answer. The SQLSTATE is empty when the connection was lost.
struct Failure {
    enum class Kind {
        unavailable,  // no connection, or lost while asking: the outcome may be unknown
        timeout,
        refused,  // an error of the database, described by its SQLSTATE
    };
    Kind kind = Kind::unavailable;
    std::string sqlstate;
    std::string message;  // only for connecting and for routes: holds no tenant's data
};

class Database {
 public:
    explicit Database(const Config &config);
    ~Database();
    Database(const Database &) = delete;
    Database &operator=(const Database &) = delete;

    // One round trip. A read is tried once more when the connection turns out to be lost.
    std::optional<Answer> handle(const Call &call, Failure *failure);

    std::optional<std::vector<Route>> routes(Failure *failure);
    // aegis.health() as JSON text.
    std::optional<std::string> health(Failure *failure);

    // Asks to be told about changes of routes; a refusal is a failure like any other.
    bool listen(Failure *failure);
    // Waits up to the time for such a word. False when none came, at once when not connected.
    bool wait_for_change(std::chrono::milliseconds time, int wake_fd);

    bool connected() const { return connection_ != nullptr; }

 private:
    struct ResultDeleter {
        void operator()(pg_result *result) const;
    };
    using Result = std::unique_ptr<pg_result, ResultDeleter>;

    bool ensure(Failure *failure);
    bool connect(Failure *failure);
    void drop();
    // Waits for the socket until the deadline; false on time-out or error.
    bool wait(short events, std::chrono::steady_clock::time_point deadline);
    // Collects the result of what was sent. Cancels the statement when its time is over.
    Result collect(Failure *failure);
    Result finish(bool sent, Failure *failure);
    Result ask(const char *sql, Failure *failure);
    bool prepare(Failure *failure);
    std::optional<Answer> handle_once(const Call &call, Failure *failure);
    Failure failure_of(const pg_result *result) const;

    const Config &config_;
    pg_conn *connection_ = nullptr;
    bool prepared_ = false;
    std::chrono::steady_clock::time_point last_answer_{};
    std::chrono::steady_clock::time_point next_attempt_{};
    std::chrono::milliseconds back_off_{0};
    std::minstd_rand jitter_;
    Failure last_failure_;
};

}  // namespace aegis::server

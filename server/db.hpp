// SPDX-License-Identifier: Apache-2.0
// What the gateway asks of the database over one connection, used by one thread: the statement of a
// request, the routes and the health.
#pragma once

#include "config.hpp"
#include "database_link.hpp"
#include "routes.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

class Database {
 public:
    explicit Database(const Config &config);

    // One round trip. A read is tried once more when the connection turns out to be lost.
    std::optional<Answer> handle(const Call &call, Failure *failure);

    std::optional<std::vector<Route>> routes(Failure *failure);
    // aegis.health() as JSON text.
    std::optional<std::string> health(Failure *failure);

    // Asks to be told about changes of routes; a refusal is a failure like any other.
    bool listen(Failure *failure);
    // Waits up to the time for such a word. False when none came, at once when not connected.
    bool wait_for_change(std::chrono::milliseconds time, int wake_fd);

    bool connected() const { return link_.connected(); }

 private:
    bool prepare(Failure *failure);
    std::optional<Answer> handle_once(const Call &call, Failure *failure);

    DatabaseLink link_;
    uint64_t prepared_on_ = 0;  // the connection that has the statement
};

}  // namespace aegis::server

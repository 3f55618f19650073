// SPDX-License-Identifier: Apache-2.0
// What the gateway asks of the database over one connection, used by one thread: the statement of a
// request, the routes and the health.
#pragma once

#include "config.hpp"
#include "core/digest.hpp"
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

struct ReplicaState {
    bool standby = false, streaming = false;
    std::optional<std::chrono::milliseconds> lag;  // nothing: not known
};

// What a region knows of the tenant of a short name: aegis.tenant_home().
struct TenantHome {
    enum class State { here, suspended, moved, unknown };
    State state = State::unknown;
    std::string region;  // where it moved to; otherwise the region itself
    int64_t place = 0;   // of several that have it, the lowest; of a name that nobody has, drawn
};

class Database {
 public:
    explicit Database(const DatabaseConfig &config);

    // One round trip. Tried once more, on a new connection, are a read whose connection was lost,
    // and what was not sent yet when it was.
    std::optional<Answer> handle(const Call &call, Failure *failure);

    std::optional<std::vector<Route>> routes(Failure *failure);
    // aegis.health() as JSON text.
    std::optional<std::string> health(Failure *failure);

    std::optional<ReplicaState> replica_state(Failure *failure);
    // aegis.status() as JSON text.
    std::optional<std::string> status(Failure *failure);

    // By the SHA-256 of the short name, in two steps, so that several databases work at once.
    bool ask_home(const core::Digest &hash, std::chrono::milliseconds patience, Failure *failure);
    std::optional<TenantHome> take_home(std::chrono::milliseconds patience, Failure *failure);

    // Asks to be told about changes of routes; a refusal is a failure like any other.
    bool listen(Failure *failure);
    // Waits up to the time for such a word. False when none came, at once when not connected.
    bool wait_for_change(std::chrono::milliseconds time, int wake_fd);

    bool connected() const { return link_.connected(); }

 private:
    // A connection to the database of the region, not to one that took its place.
    bool ensure(Failure *failure, std::chrono::milliseconds patience = {});
    bool prepare(Failure *failure);
    std::optional<std::string> ask_json(const char *statement, Failure *failure,
                                        std::chrono::milliseconds patience = {});
    std::optional<Answer> handle_once(const Call &call, bool *sent, Failure *failure);

    const std::string region_;
    DatabaseLink link_;
    uint64_t known_on_ = 0;     // the connection whose database said its region
    uint64_t prepared_on_ = 0;  // the connection that has the statement
    bool home_asked_ = false;
};

}  // namespace aegis::server

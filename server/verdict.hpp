// SPDX-License-Identifier: Apache-2.0
// What is decided about a request once its head is known and before its body is read.
#pragma once

#include "response.hpp"
#include "routes.hpp"

#include <chrono>
#include <optional>

namespace aegis::server {

// What a signed caller wants to see of the gateway itself, if the database says that they may.
enum class Look { none, health, metrics };

// Where a request goes.
struct Destination {
    size_t region = 0;
    bool known = true;               // false: only a region that does not answer could say
    bool name_is_elsewhere = false;  // the short name that is wanted is another region's
};

struct Verdict {
    std::optional<Response> early;  // answered without the database
    std::string_view problem;       // name of the refusal, for the log; a constant
    Routes table;                   // keeps the route alive
    const Route *route = nullptr;
    std::string_view shown_route;  // for the log: the template, never the path
    std::string rate;              // lines of the answer's head about what the caller has left
    bool anonymous_write = false;  // sign-in and the like: has workers of its own
    std::optional<size_t> region;  // where it goes, as far as the head says
    Look look = Look::none;
    std::optional<Destination> to;  // once the body was looked at
    std::optional<std::chrono::steady_clock::time_point> waits_since;  // for a place there
    std::string_view shown_region;  // for the log; lives as long as the gateway
};

}  // namespace aegis::server

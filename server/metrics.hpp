// SPDX-License-Identifier: Apache-2.0
// What the gateway counts, in the text format of Prometheus. Labels are methods, templates of
// routes, statuses, names of problems and regions: nothing that a client chose, and nobody's
// tenant. No other file includes prometheus-cpp.
#pragma once

#include "log.hpp"
#include "region.hpp"

#include <memory>
#include <string>

namespace aegis::server {

struct Load {
    size_t connections = 0;
    size_t queued = 0;
};

class Metrics {
 public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics &) = delete;
    Metrics &operator=(const Metrics &) = delete;

    // What the log's line of a request says, counted.
    void count(const RequestLine &request);
    // Everything, with the load and the word of the database as of now.
    std::string text(const Load &load, const Regions &regions);

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace aegis::server

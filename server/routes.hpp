// SPDX-License-Identifier: Apache-2.0
// The gateway's read-only copy of the database's routes: enough to turn away what leads nowhere or
// carries no proof without asking the database. Which rank may call a route is not known here.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aegis::server {

struct Route {
    std::string method;
    std::string path;  // template: "/api/invoices/{id}"
    bool is_public = false;
    size_t body_limit = 0;
    bool replica_ok = false;  // a standby may answer it
    bool withheld = false;    // nothing that is counted says that it was called
};

class RouteTable {
 public:
    explicit RouteTable(std::vector<Route> routes);
    RouteTable(const RouteTable &) = delete;
    RouteTable &operator=(const RouteTable &) = delete;

    struct Match {
        const Route *route = nullptr;  // lives as long as the table
        std::string allow;             // methods of the path when only the method was wrong
    };
    // HEAD finds the GET route. A fixed segment wins over a parameter.
    Match find(std::string_view method, std::string_view path) const;
    size_t size() const { return routes_.size(); }
    bool same_as(const std::vector<Route> &routes) const;

 private:
    std::vector<Route> routes_;
    std::vector<std::vector<std::string_view>> segments_;  // of routes_' paths
};

using Routes = std::shared_ptr<const RouteTable>;

}  // namespace aegis::server

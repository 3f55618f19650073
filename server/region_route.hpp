// SPDX-License-Identifier: Apache-2.0
// Which region a request goes to. Everything that is read here was written by whoever sent it, or
// is a hint of a database: it decides where to ask, and nothing else. docs/regions.md.
#pragma once

#include "db.hpp"
#include "head.hpp"
#include "region.hpp"
#include "verdict.hpp"

#include <deque>
#include <optional>

namespace aegis::server {

class RegionRoute {
 public:
    explicit RegionRoute(Regions *regions) : regions_(*regions) {}

    // Nothing: the body says.
    std::optional<size_t> by_head(const Head &head, const Route &route) const;
    // databases: of the regions, by index.
    Destination by_body(const Head &head, const Route &route, std::string_view body,
                        std::deque<Database> *databases) const;
    // The region of the tenant of a short name. Every region is asked at the same time, whatever
    // the name is, and one that nobody has leads to the one that draws the highest number for it.
    Destination by_name(const std::string &name, std::deque<Database> *databases) const;

 private:
    size_t by_host(const Head &head) const;
    std::vector<std::optional<TenantHome>> ask(const std::string &name,
                                               std::deque<Database> *databases,
                                               bool *complete) const;
    std::optional<size_t> owner(const std::vector<std::optional<TenantHome>> &said) const;
    std::optional<size_t> tombstone(const std::vector<std::optional<TenantHome>> &said) const;

    Regions &regions_;
};

}  // namespace aegis::server

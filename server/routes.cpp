// SPDX-License-Identifier: Apache-2.0
#include "routes.hpp"

#include <algorithm>

namespace aegis::server {

namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    segments.reserve(8);
    for (size_t at = 0; at < path.size();) {
        size_t slash = std::min(path.find('/', at + 1), path.size());
        segments.emplace_back(path.substr(at + 1, slash - at - 1));
        at = slash;
    }
    return segments;
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// Of as many segments.
bool matches(const std::vector<std::string_view> &pattern,
             const std::vector<std::string_view> &path) {
    for (size_t at = 0; at < path.size(); ++at) {
        if (is_parameter(pattern[at]) ? path[at].empty() : pattern[at] != path[at]) return false;
    }
    return true;
}

// Fixed segments sort before parameters, position by position.
bool more_specific(const std::vector<std::string_view> &a, const std::vector<std::string_view> &b) {
    if (a.size() != b.size()) return a.size() < b.size();
    for (size_t at = 0; at < a.size(); ++at) {
        if (is_parameter(a[at]) != is_parameter(b[at])) return is_parameter(b[at]);
    }
    return false;
}

bool equal(const Route &a, const Route &b) {
    return a.method == b.method && a.path == b.path && a.is_public == b.is_public &&
           a.body_limit == b.body_limit && a.replica_ok == b.replica_ok && a.withheld == b.withheld;
}

}  // namespace

RouteTable::RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {
    std::stable_sort(routes_.begin(), routes_.end(), [](const Route &a, const Route &b) {
        return more_specific(split(a.path), split(b.path));
    });
    segments_.reserve(routes_.size());
    for (const Route &route : routes_) segments_.push_back(split(route.path));
}

RouteTable::Match RouteTable::find(std::string_view method, std::string_view path) const {
    if (method == "HEAD") method = "GET";
    Match match;
    std::vector<std::string_view> wanted = split(path);
    std::vector<std::string_view> allowed;
    // Sorted by the number of segments first.
    const auto first = std::lower_bound(
        segments_.begin(), segments_.end(), wanted.size(),
        [](const auto &pattern, size_t segments) { return pattern.size() < segments; });
    for (auto at = static_cast<size_t>(first - segments_.begin());
         at < routes_.size() && segments_[at].size() == wanted.size(); ++at) {
        if (!matches(segments_[at], wanted)) continue;
        if (routes_[at].method == method) {
            match.route = &routes_[at];
            return match;
        }
        allowed.push_back(routes_[at].method);
    }
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    for (std::string_view name : allowed) {
        match.allow += (match.allow.empty() ? "" : ", ") + std::string(name);
        if (name == "GET") match.allow += ", HEAD";
    }
    return match;
}

bool RouteTable::same_as(const std::vector<Route> &routes) const {
    RouteTable other(routes);
    return other.routes_.size() == routes_.size() &&
           std::equal(routes_.begin(), routes_.end(), other.routes_.begin(), equal);
}

}  // namespace aegis::server

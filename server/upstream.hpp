// SPDX-License-Identifier: Apache-2.0
// Calls of internal services: only those of the configuration, only with what the database signed,
// and only what is known to be harmless comes back. docs/upstream.md.
#pragma once

#include "refusal.hpp"
#include "response.hpp"
#include "upstream_config.hpp"

#include <atomic>
#include <memory>
#include <optional>

namespace aegis::server {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct UpstreamCall {
    std::string_view method;
    std::string_view body;
    std::string_view request_id;
    const Fields *fields;                   // as the client sent them
    const std::vector<std::string> *order;  // name, value, name, value: as the database answered
};

class Upstreams {
 public:
    // Before any thread is made. The configuration must outlive it.
    explicit Upstreams(const std::deque<UpstreamConfig> &configs);

    // Whether an answer of the database is an order to call one.
    static bool is_order(const std::vector<std::string> &headers);
    // What the service answered; nothing: *refusal says what to answer instead.
    std::optional<Response> call(const UpstreamCall &call, const Refusal **refusal) const;

 private:
    struct Upstream {
        const UpstreamConfig *config;
        mutable std::atomic<int64_t> busy{0};
    };
    std::deque<Upstream> all_;
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// Internal services that the gateway may call, and nothing else: [[upstream]] of its configuration.
#pragma once

#include "settings.hpp"

#include <deque>

namespace aegis::server {

struct UpstreamConfig {  // [[upstream]]
    std::string name;    // as the database calls it
    std::string url;     // https://HOST[:PORT], or http:// and a loopback address
    std::string ca;      // PEM; empty: the system's authorities
    int64_t connect_seconds = 2;
    int64_t seconds = 10;            // from the first byte sent to the last one received
    int64_t answer_bytes = 1048576;  // at most
    int64_t concurrent = 2;          // calls at the same time; others are refused at once
    std::string place;
};

// Has the settings read [[upstream]] into the list, whose elements stay where they are.
void add_upstreams(Settings *settings, std::deque<UpstreamConfig> *upstreams);
// Throws ConfigError.
void check_upstreams(const std::deque<UpstreamConfig> &upstreams);

}  // namespace aegis::server

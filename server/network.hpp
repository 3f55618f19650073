// SPDX-License-Identifier: Apache-2.0
// Networks in configurations, and which addresses the agent may connect to. What a name resolves to
// is checked when the connection is made, so that no name that answers otherwise the second time
// leads into the own network.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace aegis::server {

// An address as 16 bytes; IPv4 is mapped (::ffff:0:0/96).
using Address = std::array<uint8_t, 16>;
// Nothing for another family.
std::optional<Address> address_of(const sockaddr *address);

struct Network {
    Address prefix;
    int bits;  // of 128
    bool holds(const Address &address) const;
};
// "10.1.0.0/16", "fd00::/8" or a single address; nothing when it is none, or has bits behind the
// prefix.
std::optional<Network> parse_network(const std::string &text);
// A list of them from a setting; throws ConfigError with its place.
std::vector<Network> parse_networks(const std::vector<std::string> &texts,
                                    const std::string &place);
bool is_in(const Address &address, const std::vector<Network> &networks);

// Globally reachable by the registries of special addresses (RFC 6890), multicast left out.
bool is_public(const Address &address);
bool is_allowed(const Address &address, const std::vector<Network> &also);

}  // namespace aegis::server

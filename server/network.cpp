// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

#include "settings.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace aegis::server {

namespace {

constexpr int kMappedBits = 96;

Address mapped(const void *four) {
    Address address{};
    address[10] = address[11] = 0xff;
    std::memcpy(address.data() + 12, four, 4);
    return address;
}

bool is_mapped(const Address &address) {
    const in_addr none{};
    const Address zero = mapped(&none);
    return std::equal(address.begin(), address.begin() + 12, zero.begin());
}

// Networks of IPv4 that are not reachable from everywhere, or not one machine.
const std::vector<Network> &special_networks() {
    static const std::vector<Network> all = [] {
        std::vector<Network> made;
        for (const char *text :
             {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
              "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
              "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
              // Within 2000::/3; the rest of IPv6 is not public at all. Those that carry an address
              // of IPv4 lead wherever that leads.
              "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"})
            made.push_back(*parse_network(text));
        return made;
    }();
    return all;
}

}  // namespace

bool is_in(const Address &address, const std::vector<Network> &networks) {
    return std::any_of(networks.begin(), networks.end(),
                       [&](const Network &network) { return network.holds(address); });
}

std::optional<Address> address_of(const sockaddr *address) {
    if (address->sa_family == AF_INET)
        return mapped(&reinterpret_cast<const sockaddr_in *>(address)->sin_addr);
    if (address->sa_family != AF_INET6) return std::nullopt;
    Address made;
    std::memcpy(made.data(), &reinterpret_cast<const sockaddr_in6 *>(address)->sin6_addr,
                made.size());
    return made;
}

bool Network::holds(const Address &address) const {
    for (int bit = 0; bit < bits; bit += 8) {
        const int left = std::min(bits - bit, 8);
        const uint8_t mask = static_cast<uint8_t>(0xff << (8 - left));
        const size_t at = static_cast<size_t>(bit / 8);
        if ((address[at] & mask) != (prefix[at] & mask)) return false;
    }
    return true;
}

std::optional<Network> parse_network(const std::string &text) {
    const size_t slash = text.find('/');
    const std::string name = text.substr(0, slash);
    Network network{};
    in_addr four{};
    in6_addr six{};
    int offset = 0;
    if (inet_pton(AF_INET, name.c_str(), &four) == 1) {
        network.prefix = mapped(&four);
        offset = kMappedBits;
    } else if (inet_pton(AF_INET6, name.c_str(), &six) == 1) {
        std::memcpy(network.prefix.data(), &six, network.prefix.size());
    } else {
        return std::nullopt;
    }
    network.bits = 128;
    if (slash != std::string::npos) {
        const std::string bits = text.substr(slash + 1);
        if (bits.empty() || bits.size() > 3 ||
            bits.find_first_not_of("0123456789") != std::string::npos)
            return std::nullopt;
        network.bits = offset + std::atoi(bits.c_str());
        if (network.bits > 128) return std::nullopt;
    }
    for (int bit = network.bits; bit < 128; ++bit)
        if ((network.prefix[static_cast<size_t>(bit / 8)] & (0x80 >> (bit % 8))) != 0)
            return std::nullopt;
    return network;
}

std::vector<Network> parse_networks(const std::vector<std::string> &texts,
                                    const std::string &place) {
    std::vector<Network> networks;
    for (const std::string &text : texts) {
        std::optional<Network> network = parse_network(text);
        if (!network)
            fail_config(place, "\"" + text + "\" is no network",
                        "Write 10.1.0.0/16, fd00:1::/32 or a single address.");
        networks.push_back(*network);
    }
    return networks;
}

bool is_public(const Address &address) {
    const bool is_global = is_mapped(address) || (address[0] & 0xe0) == 0x20;
    return is_global && !is_in(address, special_networks());
}

bool is_allowed(const Address &address, const std::vector<Network> &also) {
    return is_public(address) || is_in(address, also);
}

}  // namespace aegis::server

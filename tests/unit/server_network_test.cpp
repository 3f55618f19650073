// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

namespace {

using namespace aegis::server;

Address address(const char *text) {
    std::optional<Network> single = parse_network(text);
    EXPECT_TRUE(single && single->bits == 128) << text;
    return single->prefix;
}

TEST(Network, WhatIsReachableFromEverywhere) {
    for (const char *text : {"1.1.1.1", "192.0.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1",
                             "223.255.255.255", "2606:4700::1111", "2003::1", "::ffff:8.8.8.8"})
        EXPECT_TRUE(is_public(address(text))) << text;
    for (const char *text : {"0.0.0.0",
                             "10.1.2.3",
                             "100.64.0.1",
                             "127.0.0.1",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.0.2.1",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "::127.0.0.1",
                             "64:ff9b::7f00:1",
                             "100::1",
                             "2001::1",
                             "2001:db8::1",
                             "2002:7f00:1::",
                             "3fff::1",
                             "fc00::1",
                             "fd12::1",
                             "fe80::1",
                             "fec0::1",
                             "ff02::1"})
        EXPECT_FALSE(is_public(address(text))) << text;
}

TEST(Network, Prefixes) {
    for (const char *bad : {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "::/129",
                            "fd00::1/8", "example.com", "10.0.0.0/8 ", "10.0.0.0/0008"})
        EXPECT_FALSE(parse_network(bad)) << bad;
    const std::vector<Network> allowed = {*parse_network("10.1.0.0/16"), *parse_network("::1")};
    EXPECT_TRUE(is_allowed(address("10.1.255.1"), allowed));
    EXPECT_TRUE(is_allowed(address("::ffff:10.1.2.3"), allowed));
    EXPECT_FALSE(is_allowed(address("10.2.0.1"), allowed));
    EXPECT_TRUE(is_allowed(address("::1"), allowed));
    EXPECT_FALSE(is_allowed(address("::2"), allowed));
    EXPECT_TRUE(is_allowed(address("9.9.9.9"), {}));
}

TEST(Network, AddressesOfConnections) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    inet_pton(AF_INET, "10.0.0.1", &four.sin_addr);
    EXPECT_EQ(*address_of(reinterpret_cast<sockaddr *>(&four)), address("::ffff:10.0.0.1"));
    sockaddr other{};
    other.sa_family = AF_UNIX;
    EXPECT_FALSE(address_of(&other));
}

}  // namespace

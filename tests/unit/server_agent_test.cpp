// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent_config.hpp"

namespace {

using namespace aegis::server;

TEST(AgentConfig, AddressesOfDestinations) {
    for (const char *url :
         {"https://example.com", "https://example.com:8443/v1/x.y_z~", "https://[2001:db8::1]:443/",
          "http://127.0.0.1:3161/tsa", "http://127.0.0.1", "http://[::1]:80/a"})
        EXPECT_TRUE(is_well_formed_url(url)) << url;
    // Without TLS only to this machine, by its address.
    for (const char *url :
         {"http://example.com", "http://localhost:80", "http://127.0.0.2",
          "http://127.0.0.1.example", "http://user@127.0.0.1", "http://127.0.0.1@example.com",
          "http://[::2]", "http://10.0.0.1", "http://127.0.0.1/../x", "http://127.0.0.1?x",
          "http://", "HTTP://127.0.0.1", "https://user@example.com", "https://EXAMPLE.com",
          "ftp://127.0.0.1"})
        EXPECT_FALSE(is_well_formed_url(url)) << url;
    EXPECT_TRUE(is_in_clear("http://127.0.0.1"));
    EXPECT_FALSE(is_in_clear("https://127.0.0.1"));
}

}  // namespace

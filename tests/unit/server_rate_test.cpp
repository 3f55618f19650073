// SPDX-License-Identifier: Apache-2.0
// A bucket gives a minute's worth and refills steadily; each caller has one, told in RateLimit.
#include "credential.hpp"
#include "rate.hpp"

#include <gtest/gtest.h>

namespace {

using namespace aegis::server;

constexpr int64_t kSecond = 1000000;

TEST(ServerRate, GivesAMinutesWorthAndRefills) {
    RateBuckets buckets;
    int64_t now = 1000 * kSecond;
    for (int at = 0; at < 60; ++at) {
        RateUse use = buckets.take("a", 60, now);
        ASSERT_TRUE(use.allowed) << at;
        EXPECT_EQ(use.remaining, 59 - at);
        EXPECT_EQ(use.reset_seconds, at + 1);
    }
    RateUse over = buckets.take("a", 60, now);
    EXPECT_FALSE(over.allowed);
    EXPECT_EQ(over.remaining, 0);
    EXPECT_EQ(over.retry_seconds, 1);
    // A refusal takes nothing: the next one is there a second later, and only one.
    for (int at = 0; at < 100; ++at) EXPECT_FALSE(buckets.take("a", 60, now).allowed);
    EXPECT_TRUE(buckets.take("a", 60, now + kSecond).allowed);
    EXPECT_FALSE(buckets.take("a", 60, now + kSecond).allowed);
    // Nothing beyond a minute's worth is saved up.
    int given = 0;
    for (int at = 0; at < 100; ++at) given += buckets.take("a", 60, now + 3600 * kSecond).allowed;
    EXPECT_EQ(given, 60);
}

TEST(ServerRate, CountsOneApartFromAnother) {
    RateBuckets buckets;
    EXPECT_TRUE(buckets.take("a", 1, 0).allowed);
    RateUse over = buckets.take("a", 1, 0);
    EXPECT_FALSE(over.allowed);
    EXPECT_EQ(over.retry_seconds, 60);
    // Two keys share one of 65536 buckets by chance; of twenty, most do not.
    int others = 0;
    for (int at = 0; at < 20; ++at) others += buckets.take("b" + std::to_string(at), 1, 0).allowed;
    EXPECT_GE(others, 18);
}

// Another rate gives nobody a new minute, and takes from nobody what is left.
TEST(ServerRate, KeepsWhatWasUsedUnderAnotherRate) {
    RateBuckets buckets;
    for (int at = 0; at < 30; ++at) EXPECT_TRUE(buckets.take("a", 60, 0).allowed);
    int left = 0;
    for (int at = 0; at < 20; ++at) left += buckets.take("a", 10, 0).allowed;
    EXPECT_EQ(left, 5);
    EXPECT_FALSE(buckets.take("a", 60, 0).allowed);
}

TEST(ServerRate, CountsNetworksOfOneCustomerAsOne) {
    EXPECT_EQ(counted_address("198.51.100.7"), "198.51.100.7");
    EXPECT_EQ(counted_address("::ffff:198.51.100.7"), "198.51.100.7");
    EXPECT_EQ(counted_address("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    EXPECT_EQ(counted_address("2001:db8:1:2::9"), "2001:db8:1:2::/64");
    EXPECT_NE(counted_address("2001:db8:1:3::9"), "2001:db8:1:2::/64");
}

TEST(ServerRate, CountsConnectionsOfOneCustomerTogether) {
    AddressCount addresses;
    auto first = addresses.enter("2001:db8:1:2::1", 2);
    auto second = addresses.enter("2001:db8:1:2::2", 2);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(addresses.enter("2001:db8:1:2:ffff::3", 2));
    EXPECT_TRUE(addresses.enter("2001:db8:1:3::1", 2));
    auto other = addresses.enter("198.51.100.7", 1);
    EXPECT_TRUE(other);
    EXPECT_FALSE(addresses.enter("198.51.100.7", 1));
    EXPECT_TRUE(addresses.enter("198.51.100.8", 1));
    // Another of the network may leave; a refusal has taken nothing.
    first.reset();
    first = addresses.enter("2001:db8:1:2::4", 2);
    EXPECT_TRUE(first);
    EXPECT_FALSE(addresses.enter("2001:db8:1:2::1", 2));
    other.reset();
    EXPECT_TRUE(addresses.enter("198.51.100.7", 1));
}

TEST(ServerRate, GivesAPlaceBackOnce) {
    AddressCount addresses;
    AddressCount::Place place;
    place = *addresses.enter("198.51.100.7", 2);
    {
        AddressCount::Place moved(std::move(place));
        auto second = addresses.enter("198.51.100.7", 2);
        EXPECT_TRUE(second);
        EXPECT_FALSE(addresses.enter("198.51.100.7", 2));
        place = std::move(*second);  // what was moved holds nothing any more
    }
    EXPECT_FALSE(addresses.enter("198.51.100.7", 1)) << "one place is left";
    place = AddressCount::Place();
    EXPECT_TRUE(addresses.enter("198.51.100.7", 1));
}

TEST(ServerRate, TellsBothPolicies) {
    RateLimits limits;
    const Rates rates{100, 2};
    RateVerdict first = limits.take(rates, "198.51.100.7", "token");
    EXPECT_TRUE(first.allowed);
    EXPECT_EQ(first.fields,
              "ratelimit-policy: \"address\";q=100;w=60, \"principal\";q=2;w=60\r\n"
              "ratelimit: \"address\";r=99;t=1, \"principal\";r=1;t=30\r\n");
    EXPECT_TRUE(limits.take(rates, "198.51.100.7", "token").allowed);
    RateVerdict over = limits.take(rates, "198.51.100.7", "token");
    EXPECT_FALSE(over.allowed);
    EXPECT_GE(over.retry_seconds, 29);
    EXPECT_LE(over.retry_seconds, 30);
    EXPECT_TRUE(limits.take(rates, "198.51.100.7", "another").allowed);
    EXPECT_TRUE(limits.take(rates, "198.51.100.7", "").allowed);
    EXPECT_EQ(limits.take({}, "198.51.100.7", "token").fields, "");
}

TEST(ServerRate, KnowsWhoAsks) {
    Head head;
    EXPECT_EQ(principal_of(head), "");
    EXPECT_EQ(counted_principal(head, "198.51.100.7"), "");
    head.fields = {{"cookie", "a=b; __Host-aegis=one; c=d"}};
    EXPECT_EQ(principal_of(head), "one");
    head.fields = {{"authorization", "Bearer two"}};
    EXPECT_EQ(principal_of(head), "two");
    EXPECT_EQ(counted_principal(head, "198.51.100.7"), "two");
    head.fields = {{"signature-input", "sig=(\"@method\");created=1;keyid=\"three\";nonce=\"n\""}};
    EXPECT_EQ(principal_of(head), "three");
    // Whoever knows the id of a key asks in a name of their own.
    EXPECT_NE(counted_principal(head, "198.51.100.7"), counted_principal(head, "203.0.113.7"));
    EXPECT_EQ(counted_principal(head, "2001:db8::1"), counted_principal(head, "2001:db8::2"));
    head.fields = {{"signature-input", "sig=()"}};
    EXPECT_EQ(principal_of(head), "");
}

}  // namespace

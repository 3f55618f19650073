// SPDX-License-Identifier: Apache-2.0
// What a connection holds is given back when it goes, also where nobody thinks of it.
#include "held_bytes.hpp"
#include "poller.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace aegis::server;

constexpr char kPeer[] = "192.0.2.1";
constexpr char kOther[] = "192.0.2.2";

TEST(HeldBytes, AreBounded) {
    HeldBytes all(100);
    auto first = all.take(kPeer, 60);
    ASSERT_TRUE(first);
    EXPECT_FALSE(all.take(kOther, 41));
    EXPECT_EQ(all.held(), 60);
    auto second = all.take(kOther, 40);
    ASSERT_TRUE(second);
    first.reset();
    EXPECT_EQ(all.held(), 40);
    EXPECT_TRUE(all.take(kPeer, 60));
    EXPECT_EQ(all.held(), 40);
}

TEST(HeldBytes, OfAnAddressAreAQuarterOrOneShare) {
    HeldBytes all(100);
    auto first = all.take(kPeer, 15);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->bytes(), 15);
    EXPECT_FALSE(all.take(kPeer, 11));
    auto second = all.take(kPeer, 10);
    ASSERT_TRUE(second);
    EXPECT_FALSE(all.take(kPeer, 1));
    EXPECT_FALSE(all.take("::ffff:192.0.2.1", 1)) << "the same address in another form";
    auto large = all.take(kOther, 75);
    EXPECT_TRUE(large) << "the only one of its address";
    large.reset();
    first.reset();
    EXPECT_TRUE(all.take(kPeer, 15));
    second.reset();
    EXPECT_EQ(all.held(), 0);
    EXPECT_TRUE(all.take(kPeer, 100)) << "nothing is left of what was given back";
}

TEST(HeldBytes, OfANetworkOfIPv6AreCountedTogether) {
    HeldBytes all(100);
    auto first = all.take("2001:db8:0:1::1", 20);
    ASSERT_TRUE(first);
    EXPECT_FALSE(all.take("2001:db8:0:1:ffff::2", 6));
    EXPECT_TRUE(all.take("2001:db8:0:2::1", 6));
}

TEST(HeldBytes, KeepTheLastQuarterForWhoHoldsNothingAndWantsLittle) {
    HeldBytes all(400000);
    std::vector<HeldBytes::Share> held;
    for (int address = 1; address <= 4; ++address)
        while (auto share = all.take("192.0.2." + std::to_string(address), 50000))
            held.push_back(std::move(*share));
    EXPECT_EQ(all.held(), 350000) << "three quarters, and one that the fourth address began with";
    EXPECT_FALSE(all.take("192.0.2.8", HeldBytes::kSmall + 1));
    auto small = all.take("192.0.2.9", 1000);
    ASSERT_TRUE(small);
    EXPECT_FALSE(all.take("192.0.2.9", 1000)) << "it holds something";
    EXPECT_FALSE(all.take("192.0.2.10", 50000)) << "more than there is";
    held.clear();
    EXPECT_TRUE(all.take("192.0.2.8", 299000));
    EXPECT_FALSE(all.take("192.0.2.8", 299001));
    small.reset();
    EXPECT_TRUE(all.take("192.0.2.8", 400000)) << "nothing is held at all";
}

// While much is asked for and refused, little that there is room for is not.
TEST(HeldBytes, AreNotRefusedForWhatIsRefused) {
    HeldBytes all(100);
    const auto held = all.take(kPeer, 50);
    std::atomic<bool> ended{false};
    std::thread other([&] {
        for (int round = 0; round < 20000; ++round) EXPECT_FALSE(all.take(kOther, 51));
        ended = true;
    });
    int refused = 0;
    while (!ended) refused += all.take("192.0.2.3", 1) ? 0 : 1;
    other.join();
    EXPECT_EQ(refused, 0);
}

TEST(HeldBytes, AreGivenBackOnce) {
    HeldBytes all(100);
    HeldBytes::Share share;
    EXPECT_TRUE(share.empty());
    share = *all.take(kPeer, 10);
    EXPECT_FALSE(share.empty());
    share = *all.take(kOther, 20);  // instead of the 10
    EXPECT_EQ(all.held(), 20);
    {
        HeldBytes::Share moved(std::move(share));
        EXPECT_TRUE(share.empty());
        EXPECT_EQ(all.held(), 20);
        moved.give_back();
        EXPECT_EQ(all.held(), 0);
    }
    EXPECT_EQ(all.held(), 0);
}

// A poller with one client; the connection is this end of it.
class HeldByAConnection : public testing::Test {
 protected:
    void SetUp() override {
        Endpoint endpoint;
        endpoint.address = "127.0.0.1";
        endpoint.port = free_port();
        poller_.listen(endpoint, Listener::admin);
        client_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(endpoint.port);
        ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
        ASSERT_EQ(write(client_, "x", 1), 1);
        // First the door is ready, then the connection.
        for (int round = 0; round < 100 && connection_ == nullptr; ++round)
            connection_ = poller_.next();
        ASSERT_NE(connection_, nullptr);
        connection_->held = *all_.take(kPeer, 70);
        ASSERT_EQ(all_.held(), 70);
    }
    void TearDown() override { close(client_); }

    static sockaddr_in loopback(uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }
    static uint16_t free_port() {
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof(address);
        EXPECT_EQ(bind(probe, reinterpret_cast<sockaddr *>(&address), size), 0);
        EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr *>(&address), &size), 0);
        close(probe);
        return ntohs(address.sin_port);
    }

    const Live live_{Config()};
    HeldBytes all_{100};
    Poller poller_{live_, [](Connection *) {}};
    int client_ = -1;
    Connection *connection_ = nullptr;
};

TEST_F(HeldByAConnection, IsKeptWhileItIsParked) {
    poller_.park(connection_, Io::want_read);
    EXPECT_EQ(poller_.connections(), 1u);
    EXPECT_EQ(all_.held(), 70);
}

TEST_F(HeldByAConnection, IsGivenBackWhenItIsReleased) {
    poller_.release(connection_);
    EXPECT_EQ(poller_.connections(), 0u);
    EXPECT_EQ(all_.held(), 0);
}

TEST_F(HeldByAConnection, IsGivenBackWhenItCannotBeParked) {
    // epoll refuses a descriptor that is closed; nothing else opens one here meanwhile.
    ASSERT_EQ(close(connection_->fd), 0);
    poller_.park(connection_, Io::want_write);
    EXPECT_EQ(poller_.connections(), 0u);
    EXPECT_EQ(all_.held(), 0);
}

TEST_F(HeldByAConnection, IsGivenBackWhenItIsParkedIdleWhileDraining) {
    connection_->phase = Phase::head;
    poller_.drain();
    poller_.park(connection_, Io::want_read);
    EXPECT_EQ(poller_.connections(), 0u);
    EXPECT_EQ(all_.held(), 0);
}

}  // namespace

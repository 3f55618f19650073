// SPDX-License-Identifier: Apache-2.0
// The poller goes on when one connection cannot be handed over.
#include "poller.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>

namespace {

using namespace aegis::server;

sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

uint16_t free_port() {
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(probe, reinterpret_cast<sockaddr *>(&address), size), 0);
    EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr *>(&address), &size), 0);
    close(probe);
    return ntohs(address.sin_port);
}

TEST(Poller, ReleasesWhatCannotBeHandedOver) {
    std::atomic<int> refused{0};
    const Live live{Config()};
    Poller poller(live, [&](Connection *) {
        ++refused;
        throw std::bad_alloc();
    });
    Endpoint endpoint;
    endpoint.address = "127.0.0.1";
    endpoint.port = free_port();
    poller.listen(endpoint, Listener::admin);
    std::thread thread([&] { poller.run(); });
    // No worker is there, so it is the poller itself that takes up who comes.
    for (int number = 1; number <= 2; ++number) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(endpoint.port);
        EXPECT_EQ(connect(client, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
        EXPECT_EQ(write(client, "x", 1), 1);
        char byte;
        EXPECT_LE(read(client, &byte, 1), 0) << "the connection ends";
        close(client);
        EXPECT_EQ(refused, number);
    }
    poller.drain();
    thread.join();
    EXPECT_EQ(poller.connections(), 0u);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// The poller goes on when one connection cannot be handed over, and when that cannot even be told.
#include "log.hpp"
#include "poller.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <string>
#include <thread>

namespace {

using namespace aegis::server;

// This machine under an address of one family or the other.
class Loopback {
 public:
    explicit Loopback(const std::string &address) : address_(address) {
        auto *four = reinterpret_cast<sockaddr_in *>(&raw_);
        auto *six = reinterpret_cast<sockaddr_in6 *>(&raw_);
        const bool is_four = inet_pton(AF_INET, address.c_str(), &four->sin_addr) == 1;
        raw_.ss_family = is_four ? AF_INET : AF_INET6;
        if (!is_four) inet_pton(AF_INET6, address.c_str(), &six->sin6_addr);
        size_ = is_four ? sizeof *four : sizeof *six;
        const int probe = open_socket();
        exists_ = bind(probe, here(), size_) == 0 && getsockname(probe, here(), &size_) == 0;
        port_ = ntohs(is_four ? four->sin_port : six->sin6_port);
        close(probe);
    }
    bool exists() const { return exists_; }
    Endpoint endpoint() const {
        Endpoint made;
        made.address = address_;
        made.port = port_;
        return made;
    }
    int client() {
        const int fd = open_socket();
        EXPECT_EQ(connect(fd, here(), size_), 0);
        return fd;
    }

 private:
    int open_socket() const { return socket(raw_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0); }
    sockaddr *here() { return reinterpret_cast<sockaddr *>(&raw_); }

    const std::string address_;
    sockaddr_storage raw_{};
    socklen_t size_ = 0;
    uint16_t port_ = 0;
    bool exists_ = false;
};

class PollerOn : public testing::TestWithParam<const char *> {
 protected:
    void SetUp() override {
        if (!place_.exists()) GTEST_SKIP() << "this machine has no " << GetParam();
    }
    void TearDown() override { report_errors_to(nullptr); }

    // Each of several clients loses its connection, and the poller ends when it is told to.
    void lose_clients() {
        std::atomic<int> refused{0};
        const Live live{Config()};
        Poller poller(live, [&](Connection *) {
            ++refused;
            throw std::bad_alloc();
        });
        poller.listen(place_.endpoint(), Listener::admin);
        std::thread thread([&] { poller.run(); });
        // No worker is there, so it is the poller itself that takes up who comes.
        for (int number = 1; number <= 2; ++number) {
            const int client = place_.client();
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

    Loopback place_{GetParam()};
};

TEST_P(PollerOn, ReleasesWhatCannotBeHandedOver) {
    lose_clients();
}

TEST_P(PollerOn, ReleasesWhatCannotBeHandedOverNorToldOf) {
    std::atomic<int> told{0};
    report_errors_to([&](std::string_view, const auto &) {
        ++told;
        throw std::bad_alloc();
    });
    lose_clients();
    EXPECT_GE(told, 2);
}

INSTANTIATE_TEST_SUITE_P(Families, PollerOn, testing::Values("127.0.0.1", "::1"));

TEST(Poller, CountsNoConnectionThatItRefused) {
    Loopback place("127.0.0.1");
    Config config;
    config.connections_per_address = 1;
    const Live live{config};
    std::atomic<Connection *> handed{nullptr};
    Poller poller(live, [&](Connection *connection) { handed = connection; });
    poller.listen(place.endpoint(), Listener::admin);
    std::thread thread([&] { poller.run(); });
    for (int round = 0; round < 3; ++round) {
        const int first = place.client();
        EXPECT_EQ(write(first, "x", 1), 1);
        while (handed == nullptr) std::this_thread::yield();
        const int second = place.client();
        char byte;
        EXPECT_LE(read(second, &byte, 1), 0) << "it has as many as it may";
        EXPECT_EQ(poller.connections(), 1u);
        poller.release(handed.exchange(nullptr));
        EXPECT_LE(read(first, &byte, 1), 0);
        close(first);
        close(second);
    }
    poller.drain();
    thread.join();
    EXPECT_EQ(poller.connections(), 0u);
}

}  // namespace

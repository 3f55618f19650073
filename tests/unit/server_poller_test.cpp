// SPDX-License-Identifier: Apache-2.0
// The poller goes on when one connection cannot be handed over, and when that cannot even be told;
// and no connection is lost or mixed up with another while they come, wait, and are ended.
#include "log.hpp"
#include "poller.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace aegis::server;

// What happens between the moment a connection is parked and that at which it is armed; false: it
// cannot be armed. Once.
std::function<bool()> before_arming;
std::atomic<int> added{0};

}  // namespace

// The program's own goes before that of the C library.
extern "C" int epoll_ctl(int set, int operation, int fd, epoll_event *event) noexcept {
    static const auto real = reinterpret_cast<decltype(&epoll_ctl)>(dlsym(RTLD_NEXT, "epoll_ctl"));
    if (operation == EPOLL_CTL_MOD && before_arming) {
        const auto act = std::move(before_arming);
        before_arming = nullptr;
        if (!act()) {
            errno = ENOMEM;
            return -1;
        }
    }
    const int result = real(set, operation, fd, event);
    if (operation == EPOLL_CTL_ADD) ++added;
    return result;
}

namespace {

constexpr int kPatience = 5000;  // milliseconds

bool comes_true(const std::function<bool()> &what) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
    while (!what()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

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
        join(fd);
        return fd;
    }
    int open_socket() const { return socket(raw_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0); }
    void join(int fd) { EXPECT_EQ(connect(fd, here(), size_), 0); }

 private:
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

// A worker that arms a connection while others are at work. It is this thread; the poller's own
// takes up who comes, for no worker is idle.
class Arming : public testing::Test {
 protected:
    static Config settings() {
        Config config;
        config.max_connections = 2;
        config.connections_per_address = 3;  // a place of one that is gone must be free
        return config;
    }
    void SetUp() override {
        poller_.listen(place_.endpoint(), Listener::admin);
        thread_ = std::thread([this] { poller_.run(); });
        // Before any of them is closed: a client must not get the descriptor that is watched.
        for (int &client : clients_) client = place_.open_socket();
        added = 0;
    }
    void TearDown() override {
        poller_.drain();
        thread_.join();
        EXPECT_EQ(poller_.connections(), 0u);
        for (int client : clients_) close(client);
    }
    Connection *come_and_speak(int client) {
        place_.join(client);
        return speak(client);
    }
    Connection *speak(int client) {
        EXPECT_EQ(write(client, "x", 1), 1);
        EXPECT_TRUE(comes_true([this] { return handed_ != nullptr; }));
        return handed_.exchange(nullptr);
    }
    void park_idle(Connection *connection, std::chrono::seconds time) {
        connection->phase = Phase::head;
        connection->phase_deadline = std::chrono::steady_clock::now() + time;
        poller_.park(connection, Io::want_read);
    }
    static void expect_end(int client) {
        char byte;
        pollfd ready{client, POLLIN, 0};
        EXPECT_EQ(::poll(&ready, 1, kPatience), 1);
        EXPECT_LE(recv(client, &byte, 1, MSG_DONTWAIT), 0);
    }

    Loopback place_{"127.0.0.1"};
    const Live live_{settings()};
    std::atomic<Connection *> handed_{nullptr};
    Poller poller_{live_, [this](Connection *connection) { handed_ = connection; }};
    std::thread thread_;
    int clients_[4];
};

TEST_F(Arming, ReachesNoOtherConnectionOfTheSameDescriptor) {
    const auto [first, second, third, fourth] = clients_;
    Connection *parked = come_and_speak(first);
    ASSERT_NE(parked, nullptr);
    Connection *came = nullptr;
    before_arming = [&, second = second, third = third, fourth = fourth] {
        place_.join(second);
        const bool open = comes_true([] { return added == 2; });
        EXPECT_TRUE(open) << "others come in meanwhile";
        if (!open) return true;
        came = come_and_speak(third);  // the first goes for it
        place_.join(fourth);           // the second goes for it
        EXPECT_TRUE(comes_true([] { return added == 4; }));
        return true;
    };
    park_idle(parked, std::chrono::seconds(4));  // it is the first to go
    ASSERT_NE(came, nullptr);
    expect_end(first);
    expect_end(second);
    EXPECT_EQ(poller_.connections(), 2u);
    Connection *last = speak(fourth);
    ASSERT_NE(last, nullptr) << "it is watched as itself";
    poller_.release(came);
    poller_.release(last);
}

TEST_F(Arming, LeavesToItsTakerWhatCannotBeArmed) {
    Connection *parked = come_and_speak(clients_[0]);
    ASSERT_NE(parked, nullptr);
    before_arming = [&] {
        EXPECT_TRUE(comes_true([this] { return handed_ != nullptr; })) << "its time is over";
        return false;
    };
    park_idle(parked, std::chrono::seconds(0));
    EXPECT_EQ(poller_.connections(), 1u);
    ASSERT_EQ(handed_.exchange(nullptr), parked);
    EXPECT_TRUE(parked->expired);
    poller_.release(parked);
    expect_end(clients_[0]);
}

TEST_F(Arming, IsHarmlessAfterThatOfItsTaker) {
    Connection *parked = come_and_speak(clients_[0]);
    ASSERT_NE(parked, nullptr);
    before_arming = [&] {
        EXPECT_TRUE(comes_true([this] { return handed_ != nullptr; })) << "its time is over";
        Connection *taken = handed_.exchange(nullptr);
        taken->expired = false;
        park_idle(taken, std::chrono::seconds(60));
        return true;
    };
    park_idle(parked, std::chrono::seconds(0));
    EXPECT_EQ(speak(clients_[0]), parked);
    std::this_thread::sleep_for(std::chrono::milliseconds(250));  // two rounds of the poller
    EXPECT_EQ(handed_, nullptr) << "its second arming has nothing more to say";
    poller_.release(parked);
}

TEST_F(Arming, EndsWhatCannotBeArmed) {
    Connection *parked = come_and_speak(clients_[0]);
    ASSERT_NE(parked, nullptr);
    before_arming = [] { return false; };
    park_idle(parked, std::chrono::seconds(0));
    EXPECT_EQ(poller_.connections(), 0u);
    expect_end(clients_[0]);
}

// One client more than there is room for: who comes ends another's connection, just when a worker
// parks it, and gets its descriptor. It must get its answers nonetheless.
class Crowd {
 public:
    static constexpr int kWorkers = 3;
    static constexpr int kClients = 4;
    static constexpr int kAnswers = 2000;  // for each client
    static constexpr int kAttempts = 100 * kAnswers;

    Crowd() {
        poller_.listen(place_.endpoint(), Listener::admin);
        threads_.emplace_back([this] { poller_.run(); });
        for (int at = 0; at < kWorkers; ++at) threads_.emplace_back([this] { work(); });
    }
    void run_clients() {
        std::vector<std::thread> clients;
        for (int at = 0; at < kClients; ++at)
            clients.emplace_back([this, at] { ask(static_cast<char>('a' + at)); });
        for (std::thread &client : clients) client.join();
    }
    void end() {
        poller_.drain();
        over_ = true;
        for (std::thread &thread : threads_) thread.join();
        EXPECT_EQ(poller_.connections(), 0u);
    }

 private:
    static Config settings() {
        Config config;
        config.max_connections = kClients - 1;
        config.connections_per_address = kClients;
        // Who has not been seen yet goes last.
        config.handshake_seconds = 3600;
        return config;
    }

    void work() {
        while (!over_) {
            const Poller::Idle idle(&poller_);
            if (Connection *connection = poller_.next()) serve(connection);
        }
    }

    // Gives back what came; every other time it parks a connection whose time is over already.
    void serve(Connection *connection) {
        if (connection->expired || connection->fill(1) == Io::closed) {
            poller_.release(connection);
            return;
        }
        connection->phase = Phase::head;
        connection->out.swap(connection->in);
        ++connection->served;
        if (connection->flush() != Io::done) {
            poller_.release(connection);
            return;
        }
        connection->phase_deadline =
            std::chrono::steady_clock::now() + std::chrono::seconds(connection->served % 2);
        poller_.park(connection, Io::want_read);
    }

    // False when there is no connection any more.
    static bool exchange(int client, char mine) {
        char byte = 0;
        pollfd ready{client, POLLIN, 0};
        if (send(client, &mine, 1, MSG_NOSIGNAL) != 1) return false;
        if (poll(&ready, 1, kPatience) != 1) {
            ADD_FAILURE() << "neither an answer nor an end";
            return false;
        }
        if (recv(client, &byte, 1, 0) != 1) return false;
        EXPECT_EQ(byte, mine);
        return true;
    }

    void ask(char mine) {
        int answers = 0;
        for (int attempt = 0; attempt < kAttempts && answers < kAnswers; ++attempt) {
            if (testing::Test::HasFailure()) return;
            const int client = place_.client();
            for (int turn = 0; turn < 3 && exchange(client, mine); ++turn) ++answers;
            close(client);
        }
        EXPECT_GE(answers, kAnswers);
    }

    Loopback place_{"127.0.0.1"};
    const Live live_{settings()};
    std::atomic<bool> over_{false};
    Poller poller_{live_, [this](Connection *connection) { serve(connection); }};
    std::vector<std::thread> threads_;
};

TEST(Poller, KeepsConnectionsApartWhoseDescriptorsAreUsedAgain) {
    Crowd crowd;
    crowd.run_clients();
    crowd.end();
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "poller.hpp"

#include "log.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace aegis::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerRound = 64;
constexpr auto kSweepInterval = std::chrono::milliseconds(100);
// How often ready connections are collected for workers that are all busy.
constexpr auto kBusyInterval = std::chrono::milliseconds(20);
// Ids below this one are the descriptor that calls an idle worker, and the doors.
constexpr uint64_t kFirstConnection = 16;

std::string address_text(const sockaddr_storage &address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in &>(address).sin_addr, text,
                  sizeof(text));
    } else if (address.ss_family == AF_INET6) {
        const in6_addr &six = reinterpret_cast<const sockaddr_in6 &>(address).sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&six))
            inet_ntop(AF_INET, six.s6_addr + 12, text, sizeof(text));
        else
            inet_ntop(AF_INET6, &six, text, sizeof(text));
    }
    return text;
}

// Memory may run out: what could not be done is tried again in the next round.
template <typename Act>
void carefully(const Act &act) noexcept {
    try {
        act();
    } catch (const std::exception &error) {
        log_failure("poller_failed", error);
    }
}

void log_wake_failure() {
    log_event(Level::error, "wake_failed", {{"message", std::strerror(errno)}});
}

socklen_t socket_address(const Endpoint &endpoint, sockaddr_storage *address) {
    std::memset(address, 0, sizeof(*address));
    auto *four = reinterpret_cast<sockaddr_in *>(address);
    if (inet_pton(AF_INET, endpoint.address.c_str(), &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(endpoint.port);
        return sizeof(sockaddr_in);
    }
    auto *six = reinterpret_cast<sockaddr_in6 *>(address);
    inet_pton(AF_INET6, endpoint.address.c_str(), &six->sin6_addr);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(endpoint.port);
    return sizeof(sockaddr_in6);
}

}  // namespace

Poller::Poller(const Live &live, Handover handover)
    : live_(live),
      handover_(std::move(handover)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      call_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      next_id_(kFirstConnection) {
    if (epoll_fd_ < 0 || wake_fd_ < 0 || call_fd_ < 0)
        throw std::runtime_error("cannot create an event descriptor");
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // each call wakes one worker
    event.data.u64 = 0;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, call_fd_, &event) != 0)
        throw std::runtime_error("cannot watch an event descriptor");
}

Poller::~Poller() {
    connections_.clear();
    for (const Door &door : doors_) {
        if (door.fd >= 0) close(door.fd);
    }
    close(wake_fd_);
    close(call_fd_);
    close(epoll_fd_);
}

void Poller::listen(const Endpoint &endpoint, Listener listener) {
    sockaddr_storage address;
    socklen_t length = socket_address(endpoint, &address);
    std::string shown = endpoint.address + ", port " + std::to_string(endpoint.port);
    auto fail = [&](int fd) {
        int reason = errno;
        if (fd >= 0) close(fd);
        const char *hint = "Check [server] listen.";
        if (reason == EADDRINUSE)
            hint = "Another program has this port: stop it, or choose another in [server] listen.";
        else if (reason == EACCES)
            hint = "Ports below 1024 need CAP_NET_BIND_SERVICE.";
        else if (reason == EADDRNOTAVAIL)
            hint = "No interface of this machine has that address.";
        throw ListenError("cannot listen on " + shown + ": " + std::strerror(reason), hint);
    };
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail(fd);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, reinterpret_cast<sockaddr *>(&address), length) != 0 ||
        ::listen(fd, kBacklog) != 0)
        fail(fd);
    doors_.push_back({fd, listener});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = doors_.size();
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) fail(-1);
}

void Poller::set_tls(TlsContext context) {
    std::atomic_store(&tls_, std::move(context));
}

bool Poller::is_idle(const Connection &connection) {
    return (connection.phase == Phase::head && connection.in.empty()) ||
           connection.phase == Phase::hello;
}

// Whoever arms it may hold it a moment longer than its place, which the lock guards.
void Poller::erase(uint64_t id) noexcept {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    found->second->place = AddressCount::Place();
    connections_.erase(found);  // its end closes the descriptor, which leaves the epoll set
    count_ = connections_.size();
}

void Poller::accept_from(const Door &door) {
    std::lock_guard<std::mutex> guard(door_lock_);
    if (door.fd < 0) return;
    for (int round = 0; round < kAcceptsPerRound; ++round) {
        sockaddr_storage address{};
        socklen_t length = sizeof(address);
        int fd = accept4(door.fd, reinterpret_cast<sockaddr *>(&address), &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                log_event(Level::error, "accept_failed", {{"message", std::strerror(errno)}});
                usleep(10000);  // the socket stays readable: do not spin
            }
            return;
        }
        Descriptor accepted(fd);
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        admit(std::move(accepted), door, address_text(address));
    }
}

// Whatever is missing, memory among it: the descriptor, and with the connection its place, go.
void Poller::admit(Descriptor accepted, const Door &door, std::string peer) {
    std::lock_guard<std::mutex> guard(lock_);
    std::shared_ptr<const Config> settings = live_.now();
    TlsContext tls = door.listener == Listener::main ? std::atomic_load(&tls_) : nullptr;
    uint64_t id = next_id_++;
    const int fd = accepted.get();
    auto made =
        std::make_shared<Connection>(id, fd, door.listener, std::move(peer), std::move(tls));
    (void)accepted.release();  // it is the connection's now
    auto place = addresses_.enter(made->peer, settings->connections_per_address);
    if (!place) return;
    made->place = std::move(*place);
    bool full = connections_.size() >= static_cast<size_t>(settings->max_connections);
    if (full && !make_room()) return;
    made->phase_deadline = Clock::now() + std::chrono::seconds(settings->handshake_seconds);
    made->settings = std::move(settings);
    made->parked = true;
    connections_.try_emplace(id, std::move(made));
    count_ = connections_.size();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u64 = id;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) erase(id);
}

// The idle connection that would end soonest makes room for a new one.
bool Poller::make_room() {
    uint64_t victim = 0;
    Clock::time_point soonest = Clock::time_point::max();
    for (const auto &[id, connection] : connections_) {
        if (connection->parked && is_idle(*connection) && connection->phase_deadline < soonest) {
            victim = id;
            soonest = connection->phase_deadline;
        }
    }
    if (victim == 0) return false;
    erase(victim);
    return true;
}

// It is armed outside the lock: when its client has something to say already, arming it wakes a
// worker, who comes for the lock at once. From the end of the lock on anybody may take it, and even
// release it: the copy keeps its descriptor from being another connection's by the time it is
// armed. No readiness is lost, for arming looks at what is there; one that comes to a connection
// that is gone or taken, take() passes over; one too many finds nothing to read, and the connection
// is parked again. Only sweep() takes one that is not armed yet, and what it took ends or lingers,
// which is reading: so an arming that comes late never asks for the other direction.
void Poller::park(Connection *connection, Io want) {
    std::shared_ptr<Connection> kept;
    {
        std::lock_guard<std::mutex> guard(lock_);
        if (draining_ && is_idle(*connection)) {
            erase(connection->id);
            return;
        }
        kept = connections_.at(connection->id);
        kept->parked = true;
    }
    epoll_event event{};
    event.events = (want == Io::want_write ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT;
    event.data.u64 = kept->id;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, kept->fd, &event) == 0) return;
    std::lock_guard<std::mutex> guard(lock_);
    if (kept->parked) erase(kept->id);  // otherwise it is up to whoever took it
}

void Poller::release(Connection *connection) noexcept {
    std::lock_guard<std::mutex> guard(lock_);
    erase(connection->id);
}

// Who calls it has given its connection away already, and could not take it back.
void Poller::signal(int fd) noexcept {
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) != sizeof(one) && errno != EAGAIN) carefully(log_wake_failure);
}

void Poller::call_worker() {
    if (idle_workers_ > 0) signal(call_fd_);
}

void Poller::drain() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        drain_deadline_ = Clock::now() + std::chrono::seconds(live_.now()->drain_seconds);
        draining_ = true;
    }
    signal(wake_fd_);
}

// Memory or randomness may run out: this client loses its connection, the others do not.
void Poller::hand_over(Connection *connection) noexcept {
    try {
        handover_(connection);
    } catch (const std::exception &error) {
        release(connection);
        log_failure("handover_failed", error);
    }
}

// Deadlines, and what a drain ends. Expired connections go to a worker, which knows what to say.
void Poller::sweep() {
    std::vector<Connection *> expired;
    {
        std::lock_guard<std::mutex> guard(lock_);
        Clock::time_point now = Clock::now();
        std::vector<uint64_t> ended;
        // Where there is no room for them, nobody is taken out of the set.
        expired.reserve(connections_.size());
        ended.reserve(connections_.size());
        for (const auto &[id, connection] : connections_) {
            if (!connection->parked) continue;
            if (draining_ && is_idle(*connection)) {
                ended.push_back(id);
            } else if (connection->phase_deadline <= now) {
                connection->parked = false;
                connection->expired = true;
                expired.push_back(connection.get());
            }
        }
        for (uint64_t id : ended) erase(id);
    }
    for (Connection *connection : expired) hand_over(connection);
}

// The connection of an event, when it still exists and waits.
Connection *Poller::take(uint64_t id) {
    if (id == 0) return nullptr;
    if (id < kFirstConnection) {
        accept_from(doors_[id - 1]);
        return nullptr;
    }
    std::lock_guard<std::mutex> guard(lock_);
    auto found = connections_.find(id);
    if (found == connections_.end() || !found->second->parked) return nullptr;
    found->second->parked = false;
    return found->second.get();
}

Connection *Poller::next() {
    epoll_event event;
    int count = epoll_wait(epoll_fd_, &event, 1, static_cast<int>(kSweepInterval.count()));
    return count == 1 ? take(event.data.u64) : nullptr;
}

// Nobody else looks while all workers are busy: what is ready then goes to their queue, which is
// bounded. An event comes once, so each of them is taken up whatever becomes of another.
void Poller::collect() {
    std::array<epoll_event, 256> events;
    int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), 0);
    for (int at = 0; at < count; ++at) {
        carefully([&] {
            if (Connection *ready = take(events[at].data.u64)) hand_over(ready);
        });
    }
}

void Poller::run() {
    Clock::time_point next_sweep = Clock::now() + kSweepInterval;
    for (bool soon = false;; soon = draining_ || idle_workers_ == 0) {
        pollfd woken{wake_fd_, POLLIN, 0};
        uint64_t count;
        if (poll(&woken, 1, static_cast<int>((soon ? kBusyInterval : kSweepInterval).count())) ==
                1 &&
            read(wake_fd_, &count, sizeof(count)) < 0 && errno != EAGAIN)
            carefully(log_wake_failure);
        if (idle_workers_ == 0) collect();
        if (draining_) {
            {
                std::lock_guard<std::mutex> guard(door_lock_);
                for (Door &door : doors_) {
                    if (door.fd >= 0) close(door.fd);
                    door.fd = -1;
                }
            }
            carefully([this] { sweep(); });
            if (count_ == 0 || Clock::now() >= drain_deadline_) return;
        }
        if (Clock::now() >= next_sweep) {
            carefully([this] { sweep(); });
            carefully(flush_log);
            next_sweep = Clock::now() + kSweepInterval;
        }
    }
}

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
#include "request_socket.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <memory>
#include <vector>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.hpp"

namespace aegis::server {

namespace {

constexpr int kQueue = 128;  // connections that wait for a place
constexpr size_t kMostPassedOver = 1 << 20;

using Clock = std::chrono::steady_clock;

struct Client {
    Descriptor socket;
    Clock::time_point deadline;
    std::string request;
    std::string answer;  // empty while the request comes in
    size_t sent = 0;
    bool answered = false;
    size_t passed_over = 0;  // what came behind the request
    bool done = false;
};

bool is_unix(const std::string &address) {
    return !address.empty() && address.front() == '/';
}

sockaddr_un unix_address(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw FileError("\"" + path + "\" is not an absolute path of at most " +
                        std::to_string(sizeof address.sun_path - 1) + " characters");
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Descriptor stream_socket(int family, int flags) {
    Descriptor made(socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (made.get() < 0) fail_with_errno("could not make a socket");
    return made;
}

// What a killed process left is removed; a socket that answers, or another file, is not.
void remove_stale(const std::string &path, const sockaddr_un &address) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return;
        fail_with_errno("could not look at \"" + path + "\"");
    }
    if (!S_ISSOCK(status.st_mode)) throw FileError("\"" + path + "\" is there and is no socket");
    const Descriptor probe = stream_socket(AF_UNIX, SOCK_NONBLOCK);
    if (connect(probe.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 ||
        errno != ECONNREFUSED)
        throw FileError("another process listens on \"" + path + "\"");
    if (unlink(path.c_str()) != 0) fail_with_errno("could not remove \"" + path + "\"");
}

Descriptor listen_unix(const std::string &path) {
    const sockaddr_un address = unix_address(path);
    remove_stale(path, address);
    Descriptor listener = stream_socket(AF_UNIX, SOCK_NONBLOCK);
    if (bind(listener.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        fail_with_errno("could not listen on \"" + path + "\"");
    // Everybody may connect; SO_PEERCRED says who did.
    if (chmod(path.c_str(), 0666) != 0 || listen(listener.get(), kQueue) != 0)
        fail_with_errno("could not listen on \"" + path + "\"");
    return listener;
}

// "127.0.0.1:7480" or "[::1]:7480".
Descriptor listen_tcp(const std::string &text) {
    const size_t colon = text.rfind(':');
    std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    if (host.empty() || bracketed != (host.find(':') != std::string::npos) ||
        getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found) != 0)
        throw FileError("\"" + text + "\" is neither an absolute path nor ADDRESS:PORT");
    const std::unique_ptr<addrinfo, void (*)(addrinfo *)> owner(found, freeaddrinfo);
    Descriptor listener = stream_socket(found->ai_family, SOCK_NONBLOCK);
    const int on = 1;  // a restart must not wait for connections that are over
    if (setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener.get(), found->ai_addr, found->ai_addrlen) != 0 ||
        listen(listener.get(), kQueue) != 0)
        fail_with_errno("could not listen on \"" + text + "\"");
    return listener;
}

// The text of the address with the port that was given out.
std::string with_port(const std::string &text, int listener) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char port[NI_MAXSERV];
    if (getsockname(listener, reinterpret_cast<sockaddr *>(&own), &size) != 0 ||
        getnameinfo(reinterpret_cast<sockaddr *>(&own), size, nullptr, 0, port, sizeof port,
                    NI_NUMERICSERV) != 0)
        throw FileError("could not learn the port of \"" + text + "\"");
    return text.substr(0, text.rfind(':') + 1) + port;
}

// Lets the client in when its user was named; otherwise answers at once.
Client admit(Descriptor socket, const std::optional<std::set<uid_t>> &allowed, int deadline_millis,
             Exchange *exchange) {
    Client client;
    client.socket = std::move(socket);
    client.deadline = Clock::now() + std::chrono::milliseconds(deadline_millis);
    if (!allowed) return client;
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool known = getsockopt(client.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (!known || allowed->count(peer.uid) == 0) {
        log_event(Level::warn, "refused",
                  {{"status", "403"},
                   {"reason", "this user may not ask for signatures"},
                   {"uid", known ? std::to_string(peer.uid) : "unknown"}});
        client.answer = exchange->refusal(403);
    }
    return client;
}

void receive(Client *client, const SocketLimits &limits, Exchange *exchange) {
    char buffer[4096];
    while (client->answer.empty()) {
        const ssize_t count = recv(client->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count < 0) {
            client->done = true;
            return;
        }
        client->request.append(buffer, static_cast<size_t>(count));
        if (client->request.size() > limits.request_bytes) {
            log_event(Level::warn, "refused",
                      {{"status", "400"}, {"reason", "the request is too long"}});
            client->answer = exchange->refusal(400);
        } else {
            client->answer = exchange->answer(client->request, count == 0);
            // It left in the middle: nobody waits for an answer.
            if (count == 0 && client->answer.empty()) client->done = true;
        }
        if (count == 0) return;
    }
}

// Closing with something unread would take the answer back from a client that sends too much.
void pass_over(Client *client) {
    char buffer[4096];
    while (client->passed_over < kMostPassedOver) {
        const ssize_t count = recv(client->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count <= 0) break;
        client->passed_over += static_cast<size_t>(count);
    }
    client->done = true;
}

void send_answer(Client *client) {
    while (client->sent < client->answer.size()) {
        const ssize_t count =
            send(client->socket.get(), client->answer.data() + client->sent,
                 client->answer.size() - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count < 0) {  // the client went: it asks again
            client->done = true;
            return;
        }
        client->sent += static_cast<size_t>(count);
    }
    client->answered = true;
    shutdown(client->socket.get(), SHUT_WR);
}

int millis_to(Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left) + 1;
}

void drop_finished(std::list<Client> *clients) {
    for (Client &client : *clients) {
        if (client.done || Clock::now() < client.deadline) continue;
        if (!client.answered)
            log_event(Level::warn, "refused",
                      {{"status", "408"}, {"reason", "the client took too long"}});
        client.done = true;
    }
    clients->remove_if([](const Client &client) { return client.done; });
}

}  // namespace

RequestSocket::RequestSocket(const std::string &address, std::optional<std::set<uid_t>> allowed,
                             SocketLimits limits)
    : address_(address), allowed_(std::move(allowed)), limits_(limits) {
    if (is_unix(address)) {
        listener_ = listen_unix(address);
    } else {
        if (allowed_) throw FileError("users can be told apart on a Unix socket only");
        listener_ = listen_tcp(address);
        address_ = with_port(address, listener_.get());
    }
}

RequestSocket::~RequestSocket() {
    if (is_unix(address_)) unlink(address_.c_str());
}

void RequestSocket::serve(int stop, Exchange *exchange) {
    std::list<Client> clients;
    for (bool stopping = false; !stopping || !clients.empty();) {
        // With all places taken, the others wait in the queue of the listener.
        const bool listening = !stopping && clients.size() < limits_.connections;
        std::vector<pollfd> waiting = {{stopping ? -1 : stop, POLLIN, 0},
                                       {listening ? listener_.get() : -1, POLLIN, 0}};
        int rest = -1;
        for (const Client &client : clients) {
            const int left = millis_to(client.deadline);
            if (rest < 0 || left < rest) rest = left;
            const bool sending = !client.answer.empty() && !client.answered;
            const short events = sending ? POLLOUT : POLLIN;
            waiting.push_back({client.socket.get(), events, 0});
        }
        if (poll(waiting.data(), waiting.size(), rest) < 0) {
            if (errno == EINTR) continue;
            fail_with_errno("could not wait for requests");
        }
        size_t at = 2;
        for (Client &client : clients) {
            if (waiting[at++].revents == 0) continue;
            if (client.answer.empty()) receive(&client, limits_, exchange);
            if (!client.answer.empty() && !client.answered) send_answer(&client);
            if (client.answered) pass_over(&client);
        }
        if (waiting[1].revents != 0) {
            Descriptor accepted(
                accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (accepted.get() >= 0)
                clients.push_back(
                    admit(std::move(accepted), allowed_, limits_.deadline_millis, exchange));
        }
        if (waiting[0].revents != 0) stopping = true;
        drop_finished(&clients);
    }
}

}  // namespace aegis::server

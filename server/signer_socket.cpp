// SPDX-License-Identifier: Apache-2.0
#include "signer_socket.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.hpp"

namespace aegis::server {

namespace {

constexpr int kQueue = 128;  // connections that wait for a place

using Clock = std::chrono::steady_clock;

struct Client {
    Descriptor socket;
    Clock::time_point deadline;
    std::string request;
    std::string answer;  // empty while the request comes in
    size_t sent = 0;
    bool done = false;
};

sockaddr_un address_of(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.front() != '/' || path.size() >= sizeof address.sun_path)
        throw FileError("\"" + path + "\" is not an absolute path of at most " +
                        std::to_string(sizeof address.sun_path - 1) + " characters");
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Descriptor stream_socket(int flags) {
    Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
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
    const Descriptor probe = stream_socket(SOCK_NONBLOCK);
    if (connect(probe.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 ||
        errno != ECONNREFUSED)
        throw FileError("another process listens on \"" + path + "\"");
    if (unlink(path.c_str()) != 0) fail_with_errno("could not remove \"" + path + "\"");
}

// Lets the client in when its user was named; otherwise answers at once.
Client admit(Descriptor socket, const std::set<uid_t> &allowed, int deadline_millis) {
    Client client;
    client.socket = std::move(socket);
    client.deadline = Clock::now() + std::chrono::milliseconds(deadline_millis);
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool known = getsockopt(client.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (!known || allowed.count(peer.uid) == 0) {
        log_event(Level::warn, "refused",
                  {{"status", "403"},
                   {"reason", "this user may not ask for signatures"},
                   {"uid", known ? std::to_string(peer.uid) : "unknown"}});
        client.answer = "403\n";
    }
    return client;
}

void receive(Client *client, const SocketLimits &limits, const SignerSocket::Answer &answer) {
    char buffer[4096];
    for (;;) {
        const ssize_t count = recv(client->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count < 0) {
            client->done = true;
            return;
        }
        if (count == 0) {  // the client's half is closed: the request is complete
            client->answer = answer(client->request);
            return;
        }
        client->request.append(buffer, static_cast<size_t>(count));
        if (client->request.size() > limits.request_bytes) {
            log_event(Level::warn, "refused",
                      {{"status", "400"}, {"reason", "the request is too long"}});
            client->answer = "400\n";
            return;
        }
    }
}

void send_answer(Client *client) {
    while (client->sent < client->answer.size()) {
        const ssize_t count =
            send(client->socket.get(), client->answer.data() + client->sent,
                 client->answer.size() - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count < 0) break;  // the client went: it asks again
        client->sent += static_cast<size_t>(count);
    }
    client->done = true;
}

int millis_to(Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left) + 1;
}

void drop_finished(std::list<Client> *clients) {
    for (Client &client : *clients) {
        if (client.done || Clock::now() < client.deadline) continue;
        log_event(Level::warn, "refused",
                  {{"status", "408"}, {"reason", "the client took too long"}});
        client.done = true;
    }
    clients->remove_if([](const Client &client) { return client.done; });
}

}  // namespace

SignerSocket::SignerSocket(std::string path, std::set<uid_t> allowed, SocketLimits limits)
    : path_(std::move(path)), allowed_(std::move(allowed)), limits_(limits) {
    const sockaddr_un address = address_of(path_);
    remove_stale(path_, address);
    listener_ = stream_socket(SOCK_NONBLOCK);
    if (bind(listener_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        fail_with_errno("could not listen on \"" + path_ + "\"");
    // Everybody may connect; SO_PEERCRED says who did.
    if (chmod(path_.c_str(), 0666) != 0 || listen(listener_.get(), kQueue) != 0)
        fail_with_errno("could not listen on \"" + path_ + "\"");
}

SignerSocket::~SignerSocket() {
    unlink(path_.c_str());
}

void SignerSocket::serve(int stop, const Answer &answer) {
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
            const short events = client.answer.empty() ? POLLIN : POLLOUT;
            waiting.push_back({client.socket.get(), events, 0});
        }
        if (poll(waiting.data(), waiting.size(), rest) < 0) {
            if (errno == EINTR) continue;
            fail_with_errno("could not wait for requests");
        }
        size_t at = 2;
        for (Client &client : clients) {
            if (waiting[at++].revents == 0) continue;
            if (client.answer.empty()) receive(&client, limits_, answer);
            if (!client.answer.empty()) send_answer(&client);
        }
        if (waiting[1].revents != 0) {
            Descriptor accepted(
                accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (accepted.get() >= 0)
                clients.push_back(admit(std::move(accepted), allowed_, limits_.deadline_millis));
        }
        if (waiting[0].revents != 0) stopping = true;
        drop_finished(&clients);
    }
}

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// One request and one answer for each connection, over a Unix socket or TCP. A client that sends
// too much, too slowly, or is somebody else costs nobody else anything.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "durable_file.hpp"

namespace aegis::server {

struct SocketLimits {
    size_t request_bytes = 8192;
    int deadline_millis = 2000;  // for the whole exchange
    size_t connections = 32;
};

// What is spoken: when a request is whole, and what to answer.
class Exchange {
 public:
    virtual ~Exchange() = default;
    // The answer; empty as long as the request is not whole. `ended`: nothing more will come.
    virtual std::string answer(std::string_view request, bool ended) = 0;
    // Of a request that is longer than the limit (400), or from a user that was not named (403).
    virtual std::string refusal(int status) = 0;
};

class RequestSocket {
 public:
    // Listens at "/PATH", a Unix socket, or at "ADDRESS:PORT" with a numeric address, IPv6 in
    // brackets. Over a Unix socket, `allowed` names the users that may ask; none: everybody may.
    // Throws FileError, also when somebody else listens there.
    RequestSocket(const std::string &address, std::optional<std::set<uid_t>> allowed,
                  SocketLimits limits = {});
    ~RequestSocket();  // removes a Unix socket
    RequestSocket(const RequestSocket &) = delete;
    RequestSocket &operator=(const RequestSocket &) = delete;

    // Where it listens; with the port that the system chose for 0.
    const std::string &address() const { return address_; }
    // Serves until the descriptor `stop` is readable, then ends what was begun and returns.
    void serve(int stop, Exchange *exchange);

 private:
    std::string address_;
    std::optional<std::set<uid_t>> allowed_;
    SocketLimits limits_;
    Descriptor listener_;
};

}  // namespace aegis::server

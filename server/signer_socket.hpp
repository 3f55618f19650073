// SPDX-License-Identifier: Apache-2.0
// One request and one answer for each connection of a Unix socket, by users that were named. A
// client that sends too much, too slowly, or is somebody else costs nobody else anything.
#pragma once

#include <sys/types.h>

#include <functional>
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

class SignerSocket {
 public:
    using Answer = std::function<std::string(std::string_view request)>;

    // Listens. Throws FileError, also when somebody else listens there.
    SignerSocket(std::string path, std::set<uid_t> allowed, SocketLimits limits = {});
    ~SignerSocket();  // removes the socket
    SignerSocket(const SignerSocket &) = delete;
    SignerSocket &operator=(const SignerSocket &) = delete;

    // Serves until the descriptor `stop` is readable, then ends what was begun and returns.
    void serve(int stop, const Answer &answer);

 private:
    std::string path_;
    std::set<uid_t> allowed_;
    SocketLimits limits_;
    Descriptor listener_;
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// How cpp-httplib is used: one validated request with a body at a time, from memory to memory. Its
// head is written here from what the strict parser accepted, so no byte of the client's head
// reaches httplib's own parser, and its connection loop, timeouts and TLS are never used.
#pragma once

#include "compat.hpp"
#include "response.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace aegis::server {

// Belongs to one worker thread.
class Front {
 public:
    Front();

    // What the answers from now on say of their connection.
    void keep_alive(int64_t seconds, int64_t requests);

    // Lets httplib take in the body and write out what the answer function gives. Returns the bytes
    // for the wire. Throws std::runtime_error when httplib did not do its part.
    using Answer = std::function<Response(const std::string &body)>;
    std::string respond(std::string_view method, std::string_view body, bool close,
                        const Answer &answer);

    // A request through the whole of it, compared with what must come out: finds a program that was
    // compiled with other flags than the library. Throws std::runtime_error.
    void self_check();

 private:
    compat::HttplibServer server_;
    const Answer *answer_ = nullptr;
    bool answered_ = false;
    std::string standard_;
};

}  // namespace aegis::server

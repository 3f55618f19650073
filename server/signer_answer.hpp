// SPDX-License-Identifier: Apache-2.0
// What the signer says to one request: a signature over a head that provably extends the last one,
// or a refusal. Every answer is logged. docs/signer.md.
#pragma once

#include <string>
#include <string_view>

#include "request_socket.hpp"
#include "signer_state.hpp"

namespace aegis::server {

// The answer's text: "200\n" and the signature line, "409\n" and the size that was signed last, or
// one of 400, 404, 422 and 500.
std::string answer_of(SignerState *state, std::string_view request);

// A request is whole when the client's half of the connection is closed.
class SignerExchange : public Exchange {
 public:
    explicit SignerExchange(SignerState *state) : state_(state) {}
    std::string answer(std::string_view request, bool ended) override {
        return ended ? answer_of(state_, request) : "";
    }
    std::string refusal(int status) override { return std::to_string(status) + "\n"; }

 private:
    SignerState *state_;
};

}  // namespace aegis::server

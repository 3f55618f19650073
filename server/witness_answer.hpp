// SPDX-License-Identifier: Apache-2.0
// What a witness says to a request (C2SP tlog-witness), and HTTP/1.1 around it: one request a
// connection. Every answer that is no cosignature is logged. docs/witness.md,
// docs/format/cosignature-v1.md.
#pragma once

#include <string>
#include <string_view>

#include "request_socket.hpp"
#include "witness_state.hpp"

namespace aegis::server {

struct WitnessAnswer {
    int status = 500;
    std::string body;
    std::string type = "text/plain; charset=utf-8";
};

// To the body of "POST /add-checkpoint".
WitnessAnswer add_checkpoint(WitnessState *state, std::string_view body);
// To "GET /SHA-256 OF THE ORIGIN/checkpoint": the note that was cosigned last.
WitnessAnswer cosigned_checkpoint(const WitnessState &state, std::string_view name);

inline constexpr size_t kMaxWitnessHeadBytes = 4096;

class WitnessExchange : public Exchange {
 public:
    explicit WitnessExchange(WitnessState *state) : state_(state) {}
    std::string answer(std::string_view request, bool ended) override;
    std::string refusal(int status) override;

 private:
    WitnessState *state_;
};

}  // namespace aegis::server

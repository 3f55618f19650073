// SPDX-License-Identifier: Apache-2.0
// What the signer says to one request: a signature over a head that provably extends the last one,
// or a refusal. Every answer is logged. docs/signer.md.
#pragma once

#include <string>
#include <string_view>

#include "signer_state.hpp"

namespace aegis::server {

// The answer's text: "200\n" and the signature line, "409\n" and the size that was signed last, or
// one of 400, 404, 422 and 500.
std::string answer_of(SignerState *state, std::string_view request);

}  // namespace aegis::server

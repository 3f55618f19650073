// SPDX-License-Identifier: Apache-2.0
// aegis-verify proof: one entry under a signed checkpoint. docs/aegis-verify.md.
#pragma once

#include <string>
#include <vector>

#include "core/note.hpp"
#include "verify_policy.hpp"

namespace aegis::verify_tool {

struct ProofOptions {
    std::string file, entry, entry_hex, origin, tenant, log;
    std::vector<std::string> keys;
    PolicyOptions policy;
    bool as_json = false;
};

// Ends the program with a message unless each is the text of a key.
std::vector<core::NoteKey> parse_keys(const std::vector<std::string> &texts);

int check_proof(const ProofOptions &options);  // the exit status

}  // namespace aegis::verify_tool

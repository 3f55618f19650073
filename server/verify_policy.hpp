// SPDX-License-Identifier: Apache-2.0
// How many of which witnesses must have cosigned a checkpoint: --witness and --quorum.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"
#include "core/note.hpp"

namespace aegis::verify_tool {

struct PolicyOptions {
    std::vector<std::string> witnesses;
    size_t quorum = 0;  // 0: all that are named
};
void add_policy_options(command_line::Command *command, PolicyOptions *options);

class Policy {
 public:
    // Ends the program with a message for what is no key of a witness, for one key twice or one
    // that is a log's, and for a quorum that cannot be met.
    Policy(const PolicyOptions &options, const std::vector<core::NoteKey> &log_keys);

    bool demands() const { return !witnesses_.empty(); }
    // Why the note does not satisfy the policy; empty when it does.
    std::string finding(const core::Note &note) const;
    // "cosigned by A at TIME, B at TIME" for a note that does; empty without witnesses.
    std::string cosigned(const core::Note &note) const;

 private:
    std::vector<core::NoteKey> witnesses_;
    size_t quorum_;
};

}  // namespace aegis::verify_tool

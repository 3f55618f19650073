// SPDX-License-Identifier: Apache-2.0
// aegis-verify witness: cosigns the heads of logs that only grow. docs/witness.md.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace aegis::verify_tool {

struct WitnessOptions {
    std::string state, name, log_key, listen, log_file;
    std::vector<std::string> users;
    bool allow_root = false;
    command_line::Command command, init, add, key, status, serve;
};

// The subcommand with its own. The options live as long as the parser.
void add_witness_command(command_line::Command *program, WitnessOptions *options);
int run_witness(const WitnessOptions &options);  // the exit status

}  // namespace aegis::verify_tool

// SPDX-License-Identifier: Apache-2.0
// aegis-verify anchor: what anchors kept of a ledger, against each other, a time stamp and a
// bundle. docs/aegis-verify.md, docs/anchor.md.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace aegis::verify_tool {

struct AnchorOptions {
    command_line::Command command;
    std::vector<std::string> places;
    std::string key, origin, stamp, authority, bundle;
    bool as_json = false;
};

void add_anchor_command(command_line::Command *program, AnchorOptions *options);
int check_anchor(const AnchorOptions &options);  // the exit status

}  // namespace aegis::verify_tool

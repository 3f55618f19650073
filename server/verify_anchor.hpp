// SPDX-License-Identifier: Apache-2.0
// aegis-verify anchor: what anchors kept of a ledger, against each other, a time stamp and a
// bundle. docs/aegis-verify.md, docs/anchor.md.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace aegis::verify_tool {

struct AnchorOptions {
    CLI::App *command = nullptr;
    std::vector<std::string> places;
    std::string key, origin, stamp, authority, bundle;
    bool as_json = false;
};

void add_anchor_command(CLI::App *app, AnchorOptions *options);
int check_anchor(const AnchorOptions &options);  // the exit status

}  // namespace aegis::verify_tool

// SPDX-License-Identifier: Apache-2.0
// aegis-verify fsck: reads a whole log as tiles and hashes it again. docs/aegis-verify.md.
#pragma once

#include <string>
#include <vector>

#include "fsck_source.hpp"
#include "verify_policy.hpp"

namespace aegis::verify_tool {

struct FsckOptions {
    SourceOptions source;
    std::vector<std::string> keys;
    std::string origin;
    PolicyOptions policy;
    bool tenant_log = false;   // size and root come from the receipt
    bool hashes_only = false;  // no bundles of entries
    bool progress = false;
    bool as_json = false;
};

int check_log(const FsckOptions &options);  // the exit status

}  // namespace aegis::verify_tool

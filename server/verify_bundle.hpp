// SPDX-License-Identifier: Apache-2.0
// How the commands of aegis-verify read a bundle.
#pragma once

#include <string>

#include "core/bundle_check.hpp"

namespace aegis::verify_tool {

// Gives every line to the check, and ends it; ends the program with a message when the file is no
// bundle, or none to its end.
void read_bundle(const std::string &path, core::BundleCheck *check);

}  // namespace aegis::verify_tool

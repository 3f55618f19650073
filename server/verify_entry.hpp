// SPDX-License-Identifier: Apache-2.0
// What an entry of the ledger says, for people and for programs. Sealed parts stay as they are.
#pragma once

#include <string>

#include "core/bytes.hpp"

namespace aegis::verify_tool {

std::string entry_lines(core::ByteView body);  // "name         value\n"
std::string entry_json(core::ByteView body);

}  // namespace aegis::verify_tool

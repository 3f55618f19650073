// SPDX-License-Identifier: Apache-2.0
// The file that tells whom to write to about a vulnerability (RFC 9116).
#pragma once

#include "config.hpp"

#include <string>

namespace aegis::server {

// As of now: it is valid for half a year, which every answer begins anew.
std::string security_text(const Config &config);

// Whether a text is a contact as the standard wants it: mailto:, https: or tel:, in visible ASCII.
bool is_contact(const std::string &text);

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// Addresses that configurations may name: spelled in one way only, so that they can be compared as
// texts.
#pragma once

#include <string>

namespace aegis::server {

// Whether text is https://HOST[:PORT][/PATH], in lower case up to the path, without user, query,
// fragment, escapes and folders above; or the same with http:// and the address 127.0.0.1 or [::1].
bool is_well_formed_url(const std::string &text);
bool is_in_clear(const std::string &url);  // begins with http://
// The same of a path: empty, or segments that each begin with "/".
bool is_well_formed_path(const std::string &text);

}  // namespace aegis::server

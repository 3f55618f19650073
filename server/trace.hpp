// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context: under which trace a caller makes its request.
#pragma once

#include "head.hpp"

#include <string_view>

namespace aegis::server {

// The trace id of the field traceparent, 32 hexadecimal digits; empty when there is no such field,
// more than one, or none that the standard calls valid.
std::string_view trace_id_of(const Head &head);

}  // namespace aegis::server

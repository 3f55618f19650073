// SPDX-License-Identifier: Apache-2.0
// The field Content-Digest (RFC 9530), over the content as it was sent.
#pragma once

#include <string>

#include "core/bytes.hpp"

namespace aegis::core {

// "sha-256=:BASE64:"
std::string format_content_digest(ByteView content);
// The field must hold sha-256 or sha-512, and every one of the two that it holds must be the
// content's; other algorithms prove nothing and are passed over. Throws malformed, or cannot_open
// when it is the digest of something else.
void check_content_digest(std::string_view field, ByteView content);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// A request body as jsonb, read once and strictly: no key twice, not too deep, no number that
// grows.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::http {

inline constexpr int kMaxJsonDepth = 64;
inline constexpr int kMaxJsonExponent = 308;  // of a double, which is what others read

// ERROR of class 22 when the body is not well-formed JSON in UTF-8; 22003 when a number has a
// larger exponent, 22030 when an object names a key twice, 54000 when it nests too deeply.
Jsonb *parse_json_body(core::ByteView body);

}  // namespace aegis::http

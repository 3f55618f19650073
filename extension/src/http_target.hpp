// SPDX-License-Identifier: Apache-2.0
// The request target, decoded once: path segments and query. What two readers could understand
// differently (dot segments, encoded slashes, repeated names) is refused. docs/route.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::http {

inline constexpr size_t kMaxTargetBytes = 8192;
inline constexpr int kMaxSegments = 16;
inline constexpr int kMaxQueryPairs = 64;

struct Pair {  // terminated, allocated in the caller's memory context
    const char *name;
    const char *value;
};

struct Target {
    const char *path;  // decoded, without the query
    const char *segments[kMaxSegments];
    int segment_count;
    Pair query[kMaxQueryPairs];
    int query_count;
};

// nullptr when the target is well-formed, else what is wrong with it (a constant).
const char *parse_target(core::ByteView raw, Target *target);

// A JSON object of strings.
Jsonb *to_jsonb(const Pair *pairs, int count);

}  // namespace aegis::http

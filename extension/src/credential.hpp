// SPDX-License-Identifier: Apache-2.0
// Request headers and the one credential in them; whether a browser sent the request from our own
// pages. docs/session.md.
#pragma once

#include "http_target.hpp"

namespace aegis::http {

inline constexpr int kMaxHeaders = 128;
inline constexpr char kCookieName[] = "__Host-aegis";

struct Headers {
    Pair items[kMaxHeaders];
    int count;
};

// Reads a flat list name, value, name, value. False when it is none, or too long.
bool read_headers(ArrayType *list, Headers *headers);
// The only value of a header; nullptr when it is missing.
const char *header(const Headers &headers, const char *name);
// The value of a cookie; nullptr when it is missing or stands twice.
const char *cookie(const Headers &headers, const char *name);
// The headers that a handler may see, by a fixed list.
Jsonb *visible_headers(const Headers &headers);

enum class Source { none, cookie, bearer, token, signature };  // token: of an issuer
struct Credential {
    Source source;
    const char *token;  // nullptr for a signature, which is of the whole request
};
// False when there is more than one, or one is malformed: nobody guesses which was meant.
bool find_credential(const Headers &headers, Credential *credential);

// Whether a browser says that one of our own pages made the request. `unsaid`: the answer when it
// says nothing, as other clients do.
bool is_same_origin(const Headers &headers, bool unsaid);

}  // namespace aegis::http

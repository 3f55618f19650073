// SPDX-License-Identifier: Apache-2.0
// The bearer token of a session, version 1: "ags1_" region "_" base64url(32 random bytes).
// The region is a routing hint. Only SHA-256 of the whole token is stored.
// docs/format/session-token-v1.md.
#pragma once

#include "core/digest.hpp"

#include <string>

namespace aegis::core {

inline constexpr size_t kMaxSessionTokenBytes = 5 + 16 + 1 + 43;

// Tokens of the same shape that open no session: a challenge ("agc1_") for who has shown a password
// and owes more, a user token ("agu1_") that was sent by mail.
enum class TokenKind : uint8_t { session = 0, challenge = 1, user = 2 };
size_t make_token(TokenKind kind, std::string_view region, char *out);
bool is_token(TokenKind kind, std::string_view text) noexcept;
// The region's name in a token of any kind, "EU_WEST"; empty when the text has none of the shapes.
// It is what whoever sent the token wrote there.
std::string region_of_token(std::string_view text);

// Characters written into out (kMaxSessionTokenBytes). Region: 1 to 16 of A-Z, 0-9, "-".
// The region name's own underscore (EU_WEST) is written as "-". Throws invalid_argument.
size_t make_session_token(std::string_view region, char *out);
// True when the text has the exact shape; says nothing about whether the session exists.
bool is_session_token(std::string_view text) noexcept;
Digest session_token_hash(std::string_view token);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// The key with which Aegis itself proves who it is to an identity provider: private_key_jwt (RFC
// 7523) with ES256. docs/issuer.md.
#pragma once

#include <string>

#include "core/digest.hpp"

namespace aegis::core {

inline constexpr size_t kMaxClientKeyBytes = 256;
inline constexpr int64_t kAssertionSeconds = 60;

// Makes a P-256 key, in DER. Returns the bytes written into a room of kMaxClientKeyBytes.
size_t make_client_key(ByteSpan out);
// Its public part as a JWK with the RFC 7638 thumbprint as its id.
std::string client_key_jwk(ByteView key);
// A token in the client's name for the provider's token endpoint, good for a minute and once.
std::string sign_client_assertion(ByteView key, std::string_view client, std::string_view audience,
                                  int64_t now);

}  // namespace aegis::core

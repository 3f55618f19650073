// SPDX-License-Identifier: Apache-2.0
// Public keys as JSON Web Keys (RFC 7517, 7518, 8037), and what is signed with them. A key has one
// algorithm, which is its own and never the word of what it is to verify.
#pragma once

#include <string>
#include <vector>

#include "core/digest.hpp"

namespace aegis::core {

enum class JwsAlgorithm { rs256, ps256, es256, eddsa };

inline constexpr size_t kMaxJwksBytes = 65536;
inline constexpr size_t kMaxJwksKeys = 64;
inline constexpr size_t kMaxJwkBytes = 2048;  // of its canonical form
inline constexpr size_t kMaxKidBytes = 128;

std::string_view jws_algorithm_name(JwsAlgorithm algorithm) noexcept;
JwsAlgorithm parse_jws_algorithm(std::string_view name);  // throws malformed for every other
bool is_kid(std::string_view text) noexcept;              // 1 to 128 of A-Z a-z 0-9 . _ ~ -

struct PublicJwk {
    std::string kid;  // empty: it has none
    JwsAlgorithm algorithm;
    std::string canonical;  // its required members as RFC 7638 wants them
};
// One key that can verify. Throws malformed for every other: another type or curve, RSA below 2048
// bits, an algorithm that does not fit, another use, or private parts.
PublicJwk parse_jwk(std::string_view json);
// The keys of a set that have an id and can verify; the others are left out. Throws malformed for
// what is no set, and for one with an id twice.
std::vector<PublicJwk> parse_jwks(std::string_view json);
Digest jwk_thumbprint(std::string_view canonical);  // RFC 7638

// Throws cannot_open unless `signature` is of `message`; malformed when `canonical` is no key for
// the algorithm.
void verify_with_jwk(std::string_view canonical, JwsAlgorithm algorithm, ByteView message,
                     ByteView signature);

}  // namespace aegis::core

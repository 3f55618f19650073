// SPDX-License-Identifier: Apache-2.0
// Tokens of identity providers: JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed.
// docs/issuer.md.
#pragma once

#include "core/jwk.hpp"

namespace aegis::core {

inline constexpr size_t kMaxTokenBytes = 8192;
inline constexpr size_t kMaxIssuerBytes = 255;
inline constexpr size_t kMaxSubjectBytes = 255;  // OpenID Connect Core section 2
inline constexpr size_t kMaxSidBytes = 128;
inline constexpr size_t kMaxOrganisationBytes = 128;
inline constexpr int64_t kMaxTokenSeconds = 24 * 60 * 60;

// Three parts of base64url. It says nothing about what they hold.
bool looks_like_jwt(std::string_view text) noexcept;

// What is needed to find the key. Nothing of it is proved.
struct TokenHead {  // plain data
    char kid[kMaxKidBytes + 1];
    char issuer[kMaxIssuerBytes + 1];
    JwsAlgorithm algorithm;
};
// Throws malformed for what is no token that could be taken: without a key's id, with another
// algorithm, with `crit`, with a name twice, and so on. Key material in the header is not read.
void read_token_head(std::string_view token, TokenHead *head);

enum class ClaimShape { plain, clerk };

struct RoleRank {
    std::string_view role;  // "*": of every token
    int rank;
};

struct TokenRules {  // views only: lives in shell frames
    std::string_view issuer;
    ClaimShape shape = ClaimShape::plain;
    // Each list: one of them is required; an empty one of audiences refuses a token that has some,
    // an empty one of parties does not look.
    const std::string_view *types = nullptr, *audiences = nullptr, *parties = nullptr;
    size_t type_count = 0, audience_count = 0, party_count = 0;
    // Names of members from the outside in; none: the token speaks of no organisation, or role.
    const std::string_view *organisation_path = nullptr, *role_path = nullptr;
    size_t organisation_depth = 0, role_depth = 0;
    const RoleRank *roles = nullptr;
    size_t role_count = 0;
    std::string_view nonce;  // empty: not wanted
    // OpenID Connect Core section 3.1.3.7: azp names the audience, and must with several; no sid is
    // needed; an empty text among the types stands for none.
    bool id_token = false;
    int64_t now = 0, skew = 0;
};
static_assert(std::is_trivially_destructible_v<TokenRules>);

// Why a token that its issuer signed is not taken.
enum class TokenFault {
    none,
    type,
    issuer,
    audience,
    party,
    expired,
    not_yet,
    lifetime,
    subject,
    session,
    actor,    // somebody acts in the name of the subject
    pending,  // the issuer says that its session is not complete
    claims,   // one of another type than it must be
    nonce,
};
const char *token_fault_word(TokenFault fault) noexcept;

struct TokenClaims {  // plain data; what is missing is empty or 0
    char subject[kMaxSubjectBytes + 1];
    char sid[kMaxSidBytes + 1];
    char organisation[kMaxOrganisationBytes + 1];
    int rank;  // the highest that a role stands for
    bool second_factor;
    int64_t issued_at, expires_at, authenticated_at;
};
// First the signature, then the claims: nobody learns from an answer what a forged token would have
// needed. Throws cannot_open unless the key, by its own algorithm, signed the token.
TokenFault verify_token(std::string_view token, std::string_view canonical_key,
                        JwsAlgorithm algorithm, const TokenRules &rules, TokenClaims *claims);

}  // namespace aegis::core

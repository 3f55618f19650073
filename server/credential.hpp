// SPDX-License-Identifier: Apache-2.0
// Looks whether a request carries something that has the shape of a proof. Whether it proves
// anything is for the database to say.
#pragma once

#include "head.hpp"

#include <string>
#include <string_view>

namespace aegis::server {

enum class Credential {
    none,
    malformed,
    malformed_signature,
    ambiguous,  // two of them: which one counts must not be anyone's guess
    session,
    token,      // of an issuer
    signature,  // of a service: RFC 9421
};

// Cookie __Host-aegis, Authorization: Bearer, or Signature with Signature-Input.
Credential credential_of(const Head &head);

// What tells one caller from another before anything is verified: the token, or the key id that a
// signature names. Empty when there is none.
std::string_view principal_of(const Head &head);
// The name of its bucket: the id of a key is no secret, so it counts for the address that it comes
// from alone; whoever knows it takes nothing from the service that has the key.
std::string counted_principal(const Head &head, const std::string &peer);

// What a request of a public route shows of its own accord: the token of Authorization, or the
// cookie of a sign-in that goes on. A browser adds the session's cookie without being asked.
std::string_view shown_token_of(const Head &head);

}  // namespace aegis::server

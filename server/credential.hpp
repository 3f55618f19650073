// SPDX-License-Identifier: Apache-2.0
// Looks whether a request carries something that has the shape of a proof. Whether it proves
// anything is for the database to say.
#pragma once

#include "head.hpp"

namespace aegis::server {

enum class Credential {
    none,
    malformed,
    malformed_signature,
    ambiguous,  // two of them: which one counts must not be anyone's guess
    session,
    signature,  // of a service: RFC 9421
};

// Cookie __Host-aegis, Authorization: Bearer, or Signature with Signature-Input.
Credential credential_of(const Head &head);

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// Looks whether a request carries something that has the shape of a proof. Whether it proves
// anything is for the database to say.
#pragma once

#include "head.hpp"

namespace aegis::server {

enum class Credential {
    none,
    malformed,
    ambiguous,  // two of them: which one counts must not be anyone's guess
    session,
};

// Cookie __Host-aegis or Authorization: Bearer.
Credential credential_of(const Head &head);

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// Whether a sign-in whose password was right looks like somebody else's: from a device and a
// network that its user never signed in from, after failures. Inside an SPI connection as
// aegis_owner. docs/suspicion.md.
#pragma once

#include "sign_in_account.hpp"

namespace aegis::suspicion {

// Why a new password is due of who has just shown the right one: "breached", "suspicious", or
// nullptr. Stored with the user, and recorded.
const char *judge(const sign_in::Account &account, const sign_in::Origin &origin,
                  core::ByteView password);
// Remembers where a user signed in from, once there is a session.
void remember(const sign_in::Account &account, const sign_in::Origin &origin, TimestampTz now);

}  // namespace aegis::suspicion

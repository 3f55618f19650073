// SPDX-License-Identifier: Apache-2.0
// Reads master keys from where aegis.key_provider points. Runs in the postmaster and the launcher,
// so nothing here ereports: a failure is a Fault with a hint. docs/key.md.
#pragma once

#include "key_page.hpp"
#include "pg/postgres.hpp"

namespace aegis::key {

inline constexpr size_t kMaxKeyringText = 16 * 1024;
inline constexpr int kCommandTimeoutSeconds = 10;

// Fills *keyring and returns true, or fills *fault. An empty setting is an empty keyring. `before`
// is the page as it stands, which a variable of the environment leaves its keys to.
bool read_provider(const char *setting, const Page &before, core::Keyring *keyring, Fault *fault);

// The variable that a setting of the form env:NAME names; nullptr for any other.
const char *variable_of(const char *setting);

}  // namespace aegis::key

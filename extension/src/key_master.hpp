// SPDX-License-Identifier: Apache-2.0
// Master keys of this server run, as the shared page holds them, against the check values that this
// database remembers. docs/key.md.
#pragma once

#include "key_page.hpp"
#include "pg/postgres.hpp"

namespace aegis::key {

inline constexpr uint32_t kActiveVersion = 0;

// Prepares this process's view of the page: read-only in backends. Returns the page, or ERROR when
// the library was not preloaded.
const Page &page();

// Copies one master key, or false when the provider does not have it. The caller wipes the copy.
bool copy_master(uint32_t version, core::MasterKey *out);
// Copies every version and the fault, for status.
void copy_provided(core::Keyring *keyring, Fault *fault);

// The same as copy_master, and the key is the one that this database knows: ERROR AG004 when it is
// missing, AG014 when its check value differs or it was never registered.
void require_master(uint32_t version, core::MasterKey *out);
// The active master key, registered on first use: the first key of a database, or a next version
// that comes together with one that the database knows. ERROR AG004, AG014. Runs SPI.
void require_active_master(core::MasterKey *out);

}  // namespace aegis::key

// SPDX-License-Identifier: Apache-2.0
// Destroys the root keys of a tenant: what was sealed under them is noise from the commit on.
// docs/tenant_erase.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::key {

// Takes the wrapped roots out of aegis.tenant_key; returns how many there were. Every process
// forgets what it derived from them when the transaction commits. Inside an SPI connection as
// aegis_owner.
int shred_tenant(const pg_uuid_t &tenant, const char *reason);

// True while a transaction is open that may still see the rows as they were: a new file would hold
// them too. In a later transaction than the destruction.
bool dead_keys_are_needed(const pg_uuid_t &tenant);

// Writes aegis.tenant_key into a new file, without the rows that are dead: the old file is removed
// at the commit. Inside an SPI connection as aegis_owner, in a later transaction.
void rewrite_key_file(const pg_uuid_t &tenant);

void define_shred();  // callbacks; called from key::define

}  // namespace aegis::key

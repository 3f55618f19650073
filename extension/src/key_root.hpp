// SPDX-License-Identifier: Apache-2.0
// The random root keys of a tenant, stored wrapped in aegis.tenant_key: one for what is sealed, by
// epoch, and one for search, which epochs leave alone. docs/key.md.
#pragma once

#include "core/envelope_key.hpp"
#include "core/kdf.hpp"
#include "pg/postgres.hpp"

namespace aegis::key {

enum class RootKind : uint8_t { root = 0, index = 1 };

struct Root {  // secret; whoever holds one wipes it
    uint8_t key[core::kKeyBytes];
    uint32_t epoch;
    bool frozen;        // see key_cache::search_is_frozen()
    core::Suite suite;  // what is sealed under it
};

// "The system" is the nil tenant, which derivations name by an empty string.
core::ByteView tenant_name(const pg_uuid_t &tenant);

// Reads and unwraps a root; kCurrentEpoch takes the newest active one. ERROR AG004 when the tenant
// has no such key or the master key is missing, AG005 when it was destroyed, AG014 wrong master
// key. Of the index root also 40001 when the active snapshot knows an older one: its rows carry
// tokens of that, and a search would miss them.
void load_root(const pg_uuid_t &tenant, RootKind kind, uint32_t epoch, Root *out);

// The epoch that new seals use; 0 when the tenant has no key, or no longer.
uint32_t newest_epoch(const pg_uuid_t &tenant, RootKind kind);
// A root that is to be made: random unless it was brought.
struct NewRoot {
    core::Suite suite = core::Suite::xaes_256_gcm;
    core::ByteView brought;      // secret
    core::ByteView check_value;  // of a brought one
};

// Makes the root of the next epoch and returns its number. A tenant whose epoch has the committing
// suite never gets one without. Errors as load_root(), and 40001 when another transaction did so.
// Runs SPI.
uint32_t open_epoch(const pg_uuid_t &tenant, RootKind kind, NewRoot made = {});

// Makes whichever root of the first epoch is missing. True when it made one. Runs SPI.
bool create_roots(const pg_uuid_t &tenant);

}  // namespace aegis::key

// SPDX-License-Identifier: Apache-2.0
// How many rows of a tenant stand under which epoch: counted when the job looks, moved as it goes.
// What aegis.rotation_progress shows, and what the ledger is told at the end. docs/reseal.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::reseal::count {

struct Epochs {  // rows of one table, by epoch
    int count, room, last;
    uint32 *epochs;
    int64 *rows;
};
void begin(Epochs *epochs);
void add(Epochs *epochs, uint32 epoch);

// All of these run inside an open SPI connection, as aegis_owner.
void store(const Epochs &epochs, const pg_uuid_t &tenant, Oid relation);
void move(const pg_uuid_t &tenant, Oid relation, uint32 from, uint32 to, int64 rows);
// Writes one entry for every table that was sealed anew; returns the rows of all.
int64 report(const pg_uuid_t &tenant);
// Marks the epochs before this one as out of use by rows, with an entry for each.
void retire(const pg_uuid_t &tenant, uint32 epoch);

}  // namespace aegis::reseal::count

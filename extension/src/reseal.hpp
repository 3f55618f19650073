// SPDX-License-Identifier: Apache-2.0
// Seals values again that stand under an older epoch of their tenant's key. A job goes over every
// table with encrypted columns; plaintext exists for the length of one function call.
// docs/reseal.md.
#pragma once

#include "field.hpp"
#include "job.hpp"
#include "pg/postgres.hpp"

namespace aegis::reseal {

// What aegis.reseal() did in this process: values under the current epoch now, and values that do
// not open and stay as they are.
struct Tally {
    uint64 sealed;
    uint64 failed;
    uint64 dead;  // values of data subjects whose keys were destroyed: they stay as they are
};
const Tally &tally();

// True when `after` is `before` in another envelope: under another epoch, with another search token
// or without it, of the same plaintext. Opens both to be sure.
bool is_same_value(const pg_uuid_t &tenant, core::ByteView before, core::ByteView after,
                   const field::Bond &bond);
// Whether the current transaction is one of a job that makes new envelopes of what is there.
bool is_running();
void begin_running();

// For other jobs: the field of a tenant's value with a token, and its plaintext in new memory,
// which the caller wipes with sealed::discard(). False, and counted, when it does not open. From
// the arguments of a function of (value) or (value, row).
bool open_value(const pg_uuid_t &tenant, FunctionCallInfo fcinfo, const field::Field **field,
                core::ByteSpan *plaintext);

// One step of the job: docs/job.md.
job::Progress step(const job::Job &job);

}  // namespace aegis::reseal

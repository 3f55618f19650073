// SPDX-License-Identifier: Apache-2.0
// Seals values again that stand under an older epoch of their tenant's key. A job goes over every
// table with encrypted columns; plaintext exists for the length of one function call.
// docs/reseal.md.
#pragma once

#include "job.hpp"
#include "pg/postgres.hpp"

namespace aegis::reseal {

// What aegis.reseal() did in this process: values under the current epoch now, and values that do
// not open and stay as they are.
struct Tally {
    uint64 sealed;
    uint64 failed;
};
const Tally &tally();

// True when `after` is `before` sealed anew by the statement of the job that runs now: another
// epoch, the same plaintext. Opens both to be sure.
bool is_same_value(const pg_uuid_t &tenant, core::ByteView before, core::ByteView after);
// Whether the current transaction is one of the job's.
bool is_running();
void begin_running();

// One step of the job: docs/job.md.
job::Progress step(const job::Job &job);

}  // namespace aegis::reseal

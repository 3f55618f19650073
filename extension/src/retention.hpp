// SPDX-License-Identifier: Apache-2.0
// Cuts the beginning of a tenant's log: the entries go, their hashes and an entry that says so
// stay. docs/retention.md.
#pragma once

#include "job.hpp"

namespace aegis::retention {

// One step of the job "cut_ledger".
job::Progress step(const job::Job &job);

}  // namespace aegis::retention

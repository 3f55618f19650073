// SPDX-License-Identifier: Apache-2.0
// Long work is a row of aegis.job: the worker runs it step by step, each step in a transaction of
// its own, under a context that names the job's tenant and no other. docs/job.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::job {

// One step of the oldest job that is due, in the current transaction. False when none is.
bool run_next();

}  // namespace aegis::job

// SPDX-License-Identifier: Apache-2.0
// Erasing one person of a tenant: the key at once, search tokens and the file of keys by a job, and
// an entry that proves it. docs/subject.md.
#pragma once

#include "job.hpp"
#include "pg/postgres.hpp"

namespace aegis::subject {

// One step of the job "erase_subjects": docs/job.md.
job::Progress erase_step(const job::Job &job);

}  // namespace aegis::subject

// SPDX-License-Identifier: Apache-2.0
// Rotates the search key of a tenant: its searchable fields cannot be written until one transaction
// has given every value a new token. docs/reseal.md.
#pragma once

#include "job.hpp"

namespace aegis::key {

// The job "rotate_index".
job::Progress rewrite_index_step(const job::Job &job);
void rewrite_index_failed(const job::Job &job);

}  // namespace aegis::key

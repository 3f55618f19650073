// SPDX-License-Identifier: Apache-2.0
// Wraps the root keys of all tenants under the active master key. The roots stay what they are, and
// with them everything that was sealed. docs/key.md.
#pragma once

#include "job.hpp"

namespace aegis::key {

// One step of the job "rewrap_keys".
job::Progress rewrap_step(const job::Job &job);

}  // namespace aegis::key

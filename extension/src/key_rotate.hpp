// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pg/postgres.hpp"

namespace aegis::key {

// The job that seals a tenant's rows under its newest key: the one that has not ended, or another.
// Runs SPI.
int64 reseal_job(const pg_uuid_t &tenant);

}  // namespace aegis::key

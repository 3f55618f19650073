// SPDX-License-Identifier: Apache-2.0
// Deletes what a tenant leaves behind when its keys are gone. docs/tenant_erase.md.
#pragma once

#include "job.hpp"

namespace aegis::tenant_erase {

// One step of the job "erase_tenant": some thousands of rows, at last the entry "tenant.erased".
job::Progress step(const job::Job &job);

// True while this process deletes rows of an erased tenant: an image of each would put into the
// ledger what is to be forgotten.
bool is_under_way();

}  // namespace aegis::tenant_erase

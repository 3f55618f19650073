// SPDX-License-Identifier: Apache-2.0
// Card data at rest.
#pragma once

#include "job.hpp"

namespace aegis::scrub {

job::Progress scan_step(const job::Job &job);

}  // namespace aegis::scrub

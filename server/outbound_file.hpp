// SPDX-License-Identifier: Apache-2.0
// Carries jobs of transport file: one new file in a drop folder, on disk with its name when the job
// is done, and never written again.
#pragma once

#include "agent_config.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

Outcome carry_file(const AgentConfig &config, const Task &task);

}  // namespace aegis::server

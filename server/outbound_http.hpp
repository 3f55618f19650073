// SPDX-License-Identifier: Apache-2.0
// Carries jobs of transport http: HTTPS without redirects, answers within limits of size.
#pragma once

#include "agent_config.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

Outcome carry_http(const AgentConfig &config, const Task &task, const Deadline &deadline);

}  // namespace aegis::server

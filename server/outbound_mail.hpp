// SPDX-License-Identifier: Apache-2.0
// Carries jobs of transport mail: by SMTP under TLS to one relay, or into a folder of .eml files.
#pragma once

#include "agent_config.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

Outcome carry_mail(const AgentConfig &config, const Task &task, const Deadline &deadline);

}  // namespace aegis::server

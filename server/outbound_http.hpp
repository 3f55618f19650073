// SPDX-License-Identifier: Apache-2.0
// Carries jobs of transport http with libcurl: TLS 1.3 with verification, no redirects, no proxy,
// only to addresses that are allowed, within limits of time and size.
#pragma once

#include "agent_config.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

// Before any thread is made; throws std::runtime_error when libcurl cannot do what is needed.
void prepare_http();

Outcome carry_http(const AgentConfig &config, const Task &task, const Deadline &deadline);

}  // namespace aegis::server

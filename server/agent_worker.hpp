// SPDX-License-Identifier: Apache-2.0
// One thread with a connection of its own: claims a job, carries it, hands in what became of it.
#pragma once

#include "agent_config.hpp"
#include "agent_database.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

class AgentWorker {
 public:
    // `stop_fd` becomes readable when no further job is to be claimed; what is under way has until
    // the deadline, once there is one.
    AgentWorker(const AgentConfig &config, int stop_fd, const Deadline &deadline);
    void run();

 private:
    bool is_stopping() const;
    // Whether there was a job.
    bool work();
    Outcome carry(const Task &task) const;
    void hand_in(const Task &task, const Outcome &outcome);
    void note_failure(const Failure &failure);

    const AgentConfig &config_;
    const int stop_fd_;
    const Deadline &deadline_;
    AgentDatabase database_;
    bool is_cut_off_ = false;  // it was said that the database does not answer
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// What the agent asks of the database: jobs, and to take back what became of them.
#pragma once

#include "agent_config.hpp"
#include "database_link.hpp"
#include "outbound_task.hpp"

#include <optional>
#include <vector>

namespace aegis::server {

class AgentDatabase {
 public:
    explicit AgentDatabase(const AgentConfig &config);

    // The next due job; an empty list when there is none, nothing when the database gave no answer.
    std::optional<std::vector<Task>> claim(Failure *failure);
    // What the job is now; nothing when the database gave no answer.
    std::optional<std::string> finish(const Task &task, const Outcome &outcome, Failure *failure);
    // Whether this login may do its work.
    bool check(Failure *failure);
    // Until there may be work, at most the time; at once when wake_fd is readable.
    void wait_for_work(std::chrono::milliseconds time, int wake_fd);

 private:
    bool listen(Failure *failure);

    DatabaseLink link_;
    uint64_t listens_on_ = 0;  // the connection that was asked to tell
    std::string kinds_;        // a text[], empty: every kind
    std::string transports_;
    std::string lease_;
};

}  // namespace aegis::server

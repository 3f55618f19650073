// SPDX-License-Identifier: Apache-2.0
// What the gateway answers: which requests it turns away by itself, and how the others reach the
// database. No rule of the application is known here.
#pragma once

#include "connection.hpp"
#include "db.hpp"
#include "metrics.hpp"

#include <functional>
#include <string>

namespace aegis::server {

class Gateway {
 public:
    Gateway(const Config &config, const Monitor &monitor, Metrics *metrics,
            std::function<Load()> load)
        : config_(config), monitor_(monitor), metrics_(metrics), load_(std::move(load)) {}

    // Decides with the head alone.
    Verdict judge(const Connection &connection) const;
    // One statement. *problem names a failure for the log.
    Response forward(const Connection &connection, std::string_view body, Database *database,
                     std::string_view *problem) const;

 private:
    Verdict refuse(const Connection &connection, const Refusal &refusal) const;
    Verdict judge_console(const Connection &connection, std::string_view route) const;
    Verdict judge_main(const Connection &connection) const;
    Verdict judge_admin(const Connection &connection) const;
    Verdict judge_redirect(const Connection &connection) const;
    Verdict answer(const Connection &connection, std::string_view type, std::string body) const;
    Verdict answer_health(const Connection &connection, std::string body) const;

    const Config &config_;
    const Monitor &monitor_;
    Metrics *const metrics_;
    std::function<Load()> load_;
};

}  // namespace aegis::server

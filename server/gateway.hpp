// SPDX-License-Identifier: Apache-2.0
// What the gateway answers: which requests it turns away by itself, and how the others reach the
// database. No rule of the application is known here.
#pragma once

#include "connection.hpp"
#include "db.hpp"
#include "metrics.hpp"
#include "rate.hpp"
#include "region_route.hpp"
#include "replica.hpp"
#include "upstream.hpp"

#include <functional>
#include <string>

namespace aegis::server {

// The connections of one worker; each is made when it is needed for the first time.
struct Reach {
    explicit Reach(const Config &config) : replica(config.replica) {
        for (const RegionConfig &region : config.regions.all) regions.emplace_back(region.reach);
    }
    std::deque<Database> regions;
    Database replica;
};

class Gateway {
 public:
    Gateway(const Config &config, Regions *regions, const Replica &replica, Metrics *metrics,
            std::function<Load()> load)
        : regions_(*regions),
          route_(regions),
          replica_(replica),
          metrics_(metrics),
          load_(std::move(load)),
          upstreams_(config.upstreams) {}

    // Decides with the head alone.
    Verdict judge(const Connection &connection) const;
    bool has_regions() const { return regions_.many(); }
    // Finds the region of a request that is complete, and a place there. full: it has to wait;
    // closed: the verdict has the answer. `behind`: whether others wait for that region.
    Region::Door enter(Connection *connection, std::string_view body, Reach *reach, bool sign_in,
                       const std::function<bool(size_t)> &behind,
                       std::optional<Region::Visit> *visit) const;
    // One statement, to the region of the request. The name is that of a failure, for the log.
    Response forward(const Connection &connection, std::string_view body, Reach *reach,
                     std::optional<Region::Visit> *visit, std::string_view *problem_name) const;

 private:
    const Monitor &home() const { return regions_.at(regions_.home()).monitor(); }
    Verdict refuse(const Connection &connection, const Refusal &refusal) const;
    Response elsewhere(const Connection &connection, const Region &region) const;
    void lead_on(const std::string &name, Response *response) const;
    void choose_region(const Connection &connection, Verdict *verdict) const;
    std::optional<Answer> ask(const Call &call, bool replica, size_t region, Reach *reach,
                              Failure *failure) const;
    Verdict judge_console(const Connection &connection, std::string_view route) const;
    Verdict judge_main(const Connection &connection) const;
    Verdict judge_path(const Connection &connection) const;
    Verdict judge_look(const Connection &connection, Look look, std::string_view route) const;
    Response show(const Connection &connection, const std::optional<Answer> &answer,
                  std::string_view *problem_name) const;
    Verdict judge_admin(const Connection &connection) const;
    Verdict judge_redirect(const Connection &connection) const;
    Verdict answer(const Connection &connection, std::string_view type, std::string body) const;
    bool is_for_replica(const Connection &connection, size_t region) const;
    bool may_watch(const Connection &connection) const;
    std::string health_word() const;
    std::string health_details() const;
    Response forward_on(const Connection &connection, const Call &call,
                        const std::vector<std::string> &order,
                        std::string_view *problem_name) const;
    Verdict answer_health(const Connection &connection, std::string body) const;

    Regions &regions_;
    const RegionRoute route_;
    const Replica &replica_;
    Metrics *const metrics_;
    std::function<Load()> load_;
    mutable RateLimits rates_;
    Upstreams upstreams_;
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
#include "metrics.hpp"

#include "json_reader.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>

#ifndef AEGIS_VERSION
#error "the build defines AEGIS_VERSION"
#endif

namespace aegis::server {

namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                          0.1,   0.25,   0.5,   1,    2.5,   10};

// What aegis.health() says of, and the label that it has here.
constexpr std::pair<const char *, const char *> kLags[] = {{"seal_lag_ms", "seal"},
                                                           {"checkpoint_lag_ms", "checkpoint"},
                                                           {"witness_lag_ms", "witness"},
                                                           {"anchor_lag_ms", "anchor"}};

prometheus::Gauge &gauge(prometheus::Registry *registry, const char *name, const char *help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
}

std::string or_none(std::string_view text) {
    return text.empty() ? "none" : std::string(text);
}

struct Series {
    prometheus::Counter *requests;
    prometheus::Histogram *duration;  // nullptr: the head could not be read
};

}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter> &requests = prometheus::BuildCounter()
                                                            .Name("aegis_http_requests_total")
                                                            .Help("Requests that were answered.")
                                                            .Register(registry);
    prometheus::Family<prometheus::Histogram> &duration =
        prometheus::BuildHistogram()
            .Name("aegis_http_request_duration_seconds")
            .Help("Time from a complete head to an answer that is ready to be sent.")
            .Register(registry);
    prometheus::Family<prometheus::Counter> &refused =
        prometheus::BuildCounter()
            .Name("aegis_http_refused_total")
            .Help("Requests that the gateway turned away by itself.")
            .Register(registry);
    prometheus::Gauge &connections =
        gauge(&registry, "aegis_http_connections", "Connections that are open.");
    prometheus::Gauge &queued =
        gauge(&registry, "aegis_http_queued", "Connections that wait for a worker.");
    prometheus::Gauge &database = gauge(&registry, "aegis_database_reachable",
                                        "1 while the database answers, whatever it says.");
    prometheus::Family<prometheus::Gauge> &lag =
        prometheus::BuildGauge()
            .Name("aegis_ledger_lag_seconds")
            .Help("For how long the ledger has not been sealed, signed or cosigned.")
            .Register(registry);

    // Of several regions; empty, and so not shown, where there is one.
    prometheus::Family<prometheus::Counter> &region_requests =
        prometheus::BuildCounter()
            .Name("aegis_region_requests_total")
            .Help("Requests by the region that they went to or belong to.")
            .Register(registry);
    prometheus::Family<prometheus::Histogram> &region_duration =
        prometheus::BuildHistogram()
            .Name("aegis_region_request_duration_seconds")
            .Help("Time from a complete head to an answer that is ready to be sent.")
            .Register(registry);
    prometheus::Family<prometheus::Gauge> &region_reachable =
        prometheus::BuildGauge()
            .Name("aegis_region_reachable")
            .Help("1 while the database of the region answers.")
            .Register(registry);

    // Looked up by every request: a family would put its labels together each time.
    std::mutex lock;
    // A lag is removed while it is off: another text must not show, or set, what is on its way out.
    std::mutex telling;
    std::map<std::string, Series> known;

    Series series_of(const RequestLine &request);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
    prometheus::BuildGauge()
        .Name("aegis_build_info")
        .Help("1, with the version of the program.")
        .Register(state_->registry)
        .Add({{"version", AEGIS_VERSION}})
        .Set(1);
}

Metrics::~Metrics() = default;

Series Metrics::State::series_of(const RequestLine &request) {
    std::string key(request.method);
    key.append(1, ' ').append(request.route).append(1, ' ').append(std::to_string(request.status));
    std::lock_guard<std::mutex> guard(lock);
    auto found = known.find(key);
    if (found != known.end()) return found->second;
    Series made{};
    const std::string method = or_none(request.method), route = or_none(request.route);
    made.requests = &requests.Add(
        {{"method", method}, {"route", route}, {"status", std::to_string(request.status)}});
    if (!request.method.empty())
        made.duration = &duration.Add({{"method", method}, {"route", route}}, kSeconds);
    known.emplace(std::move(key), made);
    return made;
}

void Metrics::count(const RequestLine &request) {
    const Series series = state_->series_of(request);
    series.requests->Increment();
    if (series.duration != nullptr)
        series.duration->Observe(std::chrono::duration<double>(request.duration).count());
    if (!request.problem.empty())
        state_->refused.Add({{"problem", std::string(request.problem)}}).Increment();
    if (request.region.empty()) return;
    const std::string region(request.region);
    state_->region_requests.Add({{"region", region}, {"status", std::to_string(request.status)}})
        .Increment();
    state_->region_duration.Add({{"region", region}}, kSeconds)
        .Observe(std::chrono::duration<double>(request.duration).count());
}

std::string Metrics::text(const Load &load, const Regions &regions) {
    std::lock_guard<std::mutex> guard(state_->telling);
    const Monitor &monitor = regions.at(regions.home()).monitor();
    state_->connections.Set(static_cast<double>(load.connections));
    state_->queued.Set(static_cast<double>(load.queued));
    state_->database.Set(monitor.health() == Health::down ? 0 : 1);
    for (size_t at = 0; regions.many() && at < regions.size(); ++at) {
        const Region &region = regions.at(at);
        if (!region.has_database()) continue;
        state_->region_reachable.Add({{"region", region.name()}})
            .Set(region.monitor().health() == Health::down ? 0 : 1);
    }
    const JsonReader said(monitor.database_health());
    for (const auto &[member, of] : kLags) {
        prometheus::Gauge &lag = state_->lag.Add({{"of", of}});
        if (const auto millis = said.number(member))
            lag.Set(static_cast<double>(*millis) / 1000);
        else
            state_->lag.Remove(&lag);
    }
    return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace aegis::server

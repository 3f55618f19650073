// SPDX-License-Identifier: Apache-2.0
// Errors as Sentry envelopes, sent by a thread of their own from a queue that drops before it
// blocks. Of an error only what is listed leaves: names of events, problems and routes, statuses,
// SQLSTATEs and ids of requests; no message, header, address, query or body. docs/sentry.md.
#pragma once

#include "settings.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace aegis::server {

struct SentryConfig {  // [sentry]
    std::string dsn;   // empty: off
    std::string ca;    // PEM; empty: the system's authorities
    std::string environment = "production";
};

struct Dsn {
    std::string key;
    std::string url;  // of the envelopes
};
// https://KEY@HOST[:PORT][/PATH]/PROJECT; http only to this machine. False when it is none.
bool parse_dsn(const std::string &text, Dsn *dsn);
// Takes the number of seconds from a header line of a collector, of whatever length; any other line
// changes nothing.
void read_retry_after(std::string_view line, int64_t *seconds);
std::vector<Setting> sentry_settings(SentryConfig *config);
// Throws ConfigError.
void check_sentry(const SentryConfig &config, const Settings &settings);

struct ErrorReport {
    std::string event;
    std::string route, method, problem, sqlstate, request_id, trace_id;
    int status = 0;
};
// What may leave of a logged event: known names, everything else is left out.
ErrorReport report_of(std::string_view event,
                      const std::vector<std::pair<std::string_view, std::string>> &fields);

// How many of one kind pass in a minute: a burst is sampled, and told by a number.
class Sampler {
 public:
    // False: suppressed. Otherwise *suppressed is how many of this kind were since the last one.
    bool pass(const std::string &kind, int64_t now_seconds, int64_t *suppressed);

 private:
    struct Window {
        int64_t minute = -1;
        int passed = 0;
        int64_t suppressed = 0;
    };
    std::map<std::string, Window> windows_;
};

// The whole envelope.
std::string envelope_of(const ErrorReport &report, int64_t suppressed, const SentryConfig &config,
                        std::string_view program, std::string_view version);

class Sentry {
 public:
    // Hears every error that is logged from now on. Without a DSN it does nothing.
    Sentry(SentryConfig config, std::string program, std::string version);
    ~Sentry();  // sends what waits, for two seconds at most
    Sentry(const Sentry &) = delete;
    Sentry &operator=(const Sentry &) = delete;

 private:
    struct Waiting {
        ErrorReport report;
        int64_t suppressed;
    };
    void take(ErrorReport report);
    void run();
    void be_quiet(int64_t seconds);
    // Seconds for which nothing is sent; 0: go on.
    int64_t send(const std::string &envelope);

    const SentryConfig config_;
    const std::string program_, version_;
    Dsn dsn_;
    std::mutex lock_;
    std::condition_variable filled_;
    std::deque<Waiting> queue_;
    Sampler sampler_;
    int64_t dropped_ = 0;
    bool stopping_ = false;
    std::chrono::steady_clock::time_point quiet_until_{};
    std::thread thread_;
};

}  // namespace aegis::server

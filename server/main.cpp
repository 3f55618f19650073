// SPDX-License-Identifier: Apache-2.0
// aegis-server: puts the parts together, says clearly why it cannot start, and follows signals.
// SIGTERM and SIGINT drain, SIGHUP takes up certificate and settings and reopens the log.
#include "command_line.hpp"
#include "config.hpp"
#include "live.hpp"
#include "log.hpp"
#include "poller.hpp"
#include "region.hpp"
#include "stream.hpp"
#include "tls.hpp"
#include "worker.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#ifndef AEGIS_VERSION
#error "the build defines AEGIS_VERSION"
#endif

namespace aegis::server {

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG: restarting will not help

int complain(const std::string &message, const std::string &hint, int code) {
    fprintf(stderr, "aegis-server: error: %s\n", scrubbed(message).c_str());
    if (!hint.empty()) fprintf(stderr, "hint: %s\n", scrubbed(hint).c_str());
    return code;
}

// For databases and services, to which each worker has connections of its own, the log and whatever
// libraries open.
int64_t own_descriptors(const Config &config) {
    // The regions, a standby, the services.
    const auto reached =
        static_cast<int64_t>(config.regions.all.size() + 1 + config.upstreams.size());
    return 64 + reached * (config.workers + config.sign_in_workers);
}

// One descriptor per connection: as many as we may have. The connections that there are descriptors
// for: with more, strangers would take those that reach the database, and none would be left to
// accept who could make an idle connection go.
int64_t raise_descriptor_limit(const Config &config) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return config.max_connections;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return config.max_connections;
    const int64_t left =
        std::max<int64_t>(static_cast<int64_t>(limit.rlim_cur) - own_descriptors(config), 1);
    if (left >= config.max_connections) return config.max_connections;
    log_event(Level::warn, "few_descriptors",
              {{"limit", std::to_string(limit.rlim_cur)},
               {"max_connections", std::to_string(left)},
               {"hint", "Raise LimitNOFILE, or lower max_connections in [server]."}});
    return left;
}

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
    return set;
}

void warn_of_restart(const Values &started, const Values &fresh) {
    std::string names;
    for (const std::string &name : changed_settings(started, fresh))
        if (!is_live(name)) names += (names.empty() ? "" : ", ") + name;
    if (names.empty()) return;
    log_event(
        Level::warn, "restart_needed",
        {{"settings", names}, {"hint", "They are as before until the gateway is restarted."}});
}

// A reload that fails changes nothing: what may fail comes first.
void reload(const Config &started, const std::string &path, const Variables &variables, Live *live,
            Poller *poller) {
    auto fail = [](const std::exception &error, const std::string &hint) {
        log_event(Level::error, "reload_failed", {{"message", error.what()}, {"hint", hint}});
    };
    try {
        reopen_log();
    } catch (const std::exception &error) {
        // No reason to keep an old certificate; the file may also be another one from now on.
        log_event(Level::error, "log_reopen_failed",
                  {{"message", error.what()}, {"hint", "The log goes on where it was."}});
    }
    try {
        const Config fresh = load_config(path, variables);
        TlsContext tls = make_tls_context(fresh.certificate, fresh.key);
        Config next = taken_up(started, fresh);
        next.max_connections = raise_descriptor_limit(next);
        const auto before = live->now();
        if (next.log_level != before->log_level || next.log_file != before->log_file)
            open_log(next.log_level, next.log_file);
        live->set(std::move(next));
        poller->set_tls(std::move(tls));
        log_event(Level::info, "reloaded", {{"certificate", fresh.certificate}});
        warn_of_restart(started.values, fresh.values);
    } catch (const ConfigError &error) {
        fail(error, error.hint());
    } catch (const TlsError &error) {
        fail(error, error.hint());
    } catch (const std::exception &error) {
        fail(error, "Everything is as before. Mend it, and send SIGHUP again.");
    }
}

int serve(Config config, const std::string &path, const Variables &variables) {
    sigset_t signals = our_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread inherits it
    signal(SIGPIPE, SIG_IGN);
    config.max_connections = raise_descriptor_limit(config);

    Front().self_check();
    if (config.development && make_development_certificate(config.certificate, config.key))
        log_event(Level::warn, "development_certificate_made",
                  {{"certificate", config.certificate}});
    TlsContext tls = make_tls_context(config.certificate, config.key);

    HeldBytes held(config.buffered_bytes);
    Workers *workers_seen = nullptr;
    Live live(config);
    Poller poller(live, [&](Connection *connection) { workers_seen->take(connection); });
    poller.set_tls(std::move(tls));
    poller.listen(config.listener, Listener::main);
    if (config.admin.on()) poller.listen(config.admin, Listener::admin);
    if (config.redirect.on()) poller.listen(config.redirect, Listener::redirect);

    const Sentry sentry(config.sentry, "aegis-server", AEGIS_VERSION);
    Regions regions(config);
    Failure failure;
    if (!regions.at(regions.home()).monitor().refresh(&failure) &&
        (failure.sqlstate == "28000" || failure.sqlstate == "42501"))
        return complain("the database login \"" + config.user + "\" is not fit: " + failure.message,
                        failure.sqlstate == "28000"
                            ? "Use a login of its own that is a member of aegis_gateway and "
                              "nothing else."
                            : "Run: GRANT aegis_gateway TO " + config.user + ";",
                        kExitConfig);

    Metrics metrics;
    Replica replica(config);
    Gateway gateway(config, &regions, replica, &metrics, [&] {
        Load load;
        load.connections = poller.connections();
        load.queued = workers_seen->queued();
        return load;
    });
    Workers workers(config, live, regions, gateway, &metrics, &held);
    workers_seen = &workers;
    regions.start();
    replica.start();
    workers.start(&poller);
    std::thread poll_thread([&] { poller.run(); });
    log_event(Level::info, "started",
              {{"listen", config.listen},
               {"environment", config.environment},
               {"workers", std::to_string(config.workers)},
               {"version", AEGIS_VERSION}});

    for (bool running = true; running;) {
        int number = 0;
        if (sigwait(&signals, &number) != 0) continue;
        if (number == SIGHUP) {
            reload(config, path, variables, &live, &poller);
        } else {
            log_event(Level::info, "draining", {{"signal", strsignal(number)}});
            running = false;
        }
    }
    // A second signal does not wait. There is nothing to reload any more: SIGHUP stays blocked, for
    // its default ends the process.
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigdelset(&signals, SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    poller.drain();
    poll_thread.join();
    workers.stop();
    replica.stop();
    regions.stop();
    log_event(Level::info, "stopped");
    return 0;
}

}  // namespace

int main_with(int argc, char **argv) {
    command_line::Program program(
        "The HTTPS gateway of Aegis: parses, limits and forwards; the database decides.",
        "aegis-server");
    std::string path;
    bool check_only = false;
    bool allow_root = false;
    program.option("--config", &path, "configuration file (TOML); AEGIS_* variables override it");
    program.flag("--check-config", &check_only, "check the configuration and exit");
    program.flag("--allow-root", &allow_root, "serve although running as root (containers)");
    program.version(std::string("aegis-server ") + AEGIS_VERSION);
    program.footer(
        "Signals: TERM and INT finish what is under way and exit; HUP takes up certificate and "
        "settings and reopens the log.");
    int status = 0;
    if (!program.parse(argc, argv, &status)) return status == 0 ? 0 : kExitConfig;
    forget_libpq_variables();
    Variables variables = variables_of_process();
    try {
        Config config = load_config(path, variables);
        if (check_only) {
            printf("the configuration is valid: %s\n", path.empty() ? "(defaults)" : path.c_str());
            return 0;
        }
        if (geteuid() == 0 && !allow_root)
            return complain("refusing to run as root",
                            "Start it as a user of its own; --allow-root is for containers.",
                            kExitConfig);
        open_log(config.log_level, config.log_file);
        return serve(std::move(config), path, variables);
    } catch (const DemoRefused &error) {
        // The configuration is not valid, so the log is where every other complaint goes.
        open_log("info", "");
        log_event(Level::error, "demo_refused", {{"environment", "production"}});
        return complain(error.what(), error.hint(), kExitConfig);
    } catch (const ConfigError &error) {
        return complain(error.what(), error.hint(), kExitConfig);
    } catch (const TlsError &error) {
        return complain(error.what(), error.hint(), kExitConfig);
    } catch (const ListenError &error) {
        return complain(error.what(), error.hint(), kExitFailure);
    } catch (const std::exception &error) {
        return complain(error.what(), "", kExitFailure);
    }
}

}  // namespace aegis::server

int main(int argc, char **argv) {
    return aegis::server::main_with(argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
// aegis-agent: the one process that makes outbound calls. It claims jobs of the outbox, carries
// them to destinations that its configuration allows, and hands in what came back. docs/agent.md.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include <sys/eventfd.h>
#include <unistd.h>

#include "agent_worker.hpp"
#include "command_line.hpp"
#include "durable_file.hpp"
#include "log.hpp"
#include "outbound_curl.hpp"

#ifndef AEGIS_VERSION
#error "the build defines AEGIS_VERSION"
#endif

namespace aegis::server {

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG: restarting will not help

int complain(const std::string &message, const std::string &hint, int code) {
    fprintf(stderr, "aegis-agent: error: %s\n", scrubbed(message).c_str());
    if (!hint.empty()) fprintf(stderr, "hint: %s\n", scrubbed(hint).c_str());
    return code;
}

int complain_of_login(const AgentConfig &config, const Failure &failure) {
    const bool is_rights = failure.sqlstate == "42501";
    const bool is_login = is_rights || failure.sqlstate == "28000";
    return complain("the database login \"" + config.user + "\" is not fit: " + failure.message,
                    is_rights  ? "Run: GRANT aegis_agent TO " + config.user + ";"
                    : is_login ? "Use a login of its own that is a member of aegis_agent and "
                                 "nothing else."
                               : "Check [database] and whether the server runs.",
                    is_login ? kExitConfig : kExitFailure);
}

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
    return set;
}

std::string list_of(const std::vector<std::string> &texts) {
    std::string list;
    for (const std::string &text : texts) list += (list.empty() ? "" : ", ") + text;
    return list;
}

// Folders must be there, and not everybody's; one with mails nobody else's at all.
void check_folders(const AgentConfig &config) {
    for (const DropFolder &drop : config.drops) check_writable_folder(drop.folder);
    if (!config.mail.folder.empty()) check_private(config.mail.folder);
    if (!config.mail.password_file.empty()) check_private(config.mail.password_file);
}

int check(const AgentConfig &config, const std::string &path) {
    check_folders(config);
    AgentDatabase database(config);
    Failure failure;
    if (!database.check(&failure)) return complain_of_login(config, failure);
    printf("the configuration is valid: %s\n", path.empty() ? "(defaults)" : path.c_str());
    printf("database: the login \"%s\" may claim outbound jobs\n", config.user.c_str());
    const std::string transports = list_of(config.transports());
    printf("carries: %s\n", transports.empty() ? "nothing" : transports.c_str());
    return 0;
}

int serve(const AgentConfig &config) {
    sigset_t signals = our_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread inherits it
    signal(SIGPIPE, SIG_IGN);
    check_folders(config);
    {
        AgentDatabase database(config);
        Failure failure;
        if (!database.check(&failure) &&
            (failure.sqlstate == "28000" || failure.sqlstate == "42501"))
            return complain_of_login(config, failure);
    }
    const Sentry sentry(config.sentry, "aegis-agent", AEGIS_VERSION);
    const Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (stop.get() < 0) fail_with_errno("could not make an event");
    Deadline deadline{0};
    std::vector<std::thread> threads;
    for (int64_t at = 0; at < config.workers; ++at)
        threads.emplace_back([&] { AgentWorker(config, stop.get(), deadline).run(); });
    log_event(Level::info, "started",
              {{"version", AEGIS_VERSION},
               {"workers", std::to_string(config.workers)},
               {"transports", list_of(config.transports())},
               {"destinations", std::to_string(config.destinations.size())}});
    for (int number = SIGHUP; number == SIGHUP;) {
        if (sigwait(&signals, &number) != 0) number = SIGHUP;
        if (number == SIGHUP) reopen_log();
    }
    log_event(Level::info, "draining");
    // A second signal does not wait.
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    deadline = (std::chrono::steady_clock::now() + std::chrono::seconds(config.drain_seconds))
                   .time_since_epoch()
                   .count();
    const uint64_t one = 1;
    if (write(stop.get(), &one, sizeof one) != sizeof one)
        fail_with_errno("could not tell the workers");
    for (std::thread &thread : threads) thread.join();
    log_event(Level::info, "stopped");
    return 0;
}

}  // namespace

int agent_main(int argc, char **argv) {
    command_line::Program program(
        "Makes the outbound calls of Aegis: claims jobs, carries them, hands in answers.",
        "aegis-agent");
    std::string path;
    bool check_only = false;
    bool allow_root = false;
    program.option("--config", &path,
                   "configuration file (TOML); AEGIS_AGENT_* variables override it");
    program.flag("--check", &check_only,
                 "check the configuration, the drop folders and the database login, and exit");
    program.flag("--allow-root", &allow_root, "work although running as root (containers)");
    program.version(std::string("aegis-agent ") + AEGIS_VERSION);
    program.footer("Signals: TERM and INT finish what is under way and exit; HUP reopens the log.");
    int status = 0;
    if (!program.parse(argc, argv, &status)) return status == 0 ? 0 : kExitConfig;
    forget_libpq_variables();
    try {
        const AgentConfig config = load_agent_config(path, variables_of_process());
        if (geteuid() == 0 && !allow_root)
            return complain("refusing to run as root",
                            "Start it as a user of its own; --allow-root is for containers.",
                            kExitConfig);
        prepare_curl();
        if (check_only) return check(config, path);
        open_log(config.log_level, config.log_file);
        return serve(config);
    } catch (const ConfigError &error) {
        return complain(error.what(), error.hint(), kExitConfig);
    } catch (const FileError &error) {
        return complain(error.what(), "docs/agent.md tells what the agent writes.", kExitConfig);
    } catch (const std::exception &error) {
        return complain(error.what(), "", kExitFailure);
    }
}

}  // namespace aegis::server

int main(int argc, char **argv) {
    return aegis::server::agent_main(argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
#include "keeper.hpp"

#include <csignal>
#include <cstdlib>

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace aegis::server {

void close_memory() {
    const rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        fail_with_errno("could not close the memory of this process");
}

std::set<uid_t> users_of(const std::vector<std::string> &names) {
    std::set<uid_t> users = {geteuid()};
    for (const std::string &name : names) {
        if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos) {
            users.insert(static_cast<uid_t>(std::strtoul(name.c_str(), nullptr, 10)));
            continue;
        }
        const passwd *entry = getpwnam(name.c_str());
        if (entry == nullptr) throw FileError("user \"" + name + "\" does not exist");
        users.insert(entry->pw_uid);
    }
    return users;
}

void require_open_files(size_t connections, const std::string &who) {
    constexpr rlim_t kOwn = 16;
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail_with_errno("could not read a limit");
    if (files.rlim_cur < connections + kOwn)
        throw FileError("at most " + std::to_string(files.rlim_cur) + " files may be open, the " +
                        who + " needs " + std::to_string(connections + kOwn));
}

Descriptor stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    Descriptor stop(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (stop.get() < 0) fail_with_errno("could not wait for signals");
    return stop;
}

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// command:PATH ARG..., a program that prints the keyring. It gets nothing of the server's, and is
// ended with all of its process group when it takes too long.
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "key_provider_text.hpp"

namespace aegis::key {

namespace {

constexpr const char *kRunByHand =
    "Run the command by hand as the server's user; it must print lines \"version:hex\". What it "
    "wrote to its standard error is in the server's log.";
constexpr int kMaxWords = 32;

int64_t monotonic_millis() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

// Whoever can change the program can run code as the server's user.
bool check_program(const char *path, Fault *fault) {
    struct stat status;
    if (stat(path, &status) != 0)
        return fail(fault, "Check that the file exists and is executable for the server's user.",
                    "could not run key command \"%s\": %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(fault, "Name the program itself.", "key command \"%s\" is not a regular file",
                    path);
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return fail(fault, "Give the program to root with chown.",
                    "key command \"%s\" is owned by neither root nor the user that runs the server",
                    path);
    if ((status.st_mode & 022) != 0)
        return fail(fault, "Run chmod go-w on the program.",
                    "key command \"%s\" has mode %04o, so that others than its owner can change it",
                    path, static_cast<unsigned>(status.st_mode & 07777));
    return true;
}

// Starts the command with nothing of ours: no descriptor, no environment, no signal state.
int spawn(char *const *argv, int output, pid_t *pid) {
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

bool too_late(const char *name, Fault *fault) {
    return fail(fault, kRunByHand, "key command \"%s\" did not finish within %d seconds", name,
                kCommandTimeoutSeconds);
}

// What the command prints until it, and whoever it gave its output to, closes that.
bool read_output(int output, int64_t deadline, const char *name, Text *text, Fault *fault) {
    for (;;) {
        int64_t left = deadline - monotonic_millis();
        struct pollfd ready = {output, POLLIN, 0};
        int polled = left > 0 ? poll(&ready, 1, static_cast<int>(left)) : 0;
        if (polled == 0) return too_late(name, fault);
        Got got = polled > 0 ? append(output, text) : errno == EINTR ? Got::more : Got::error;
        if (got == Got::end) return true;
        if (got == Got::too_much)
            return fail(fault, kRunByHand, "key command \"%s\" printed more than %zu bytes", name,
                        kMaxKeyringText);
        if (got == Got::error)
            return fail(fault, "Try again.", "could not read from key command \"%s\": %s", name,
                        strerror(errno));
    }
}

bool wait_for_end(pid_t pid, int64_t deadline, const char *name, int *status, Fault *fault) {
    pid_t waited;
    while ((waited = waitpid(pid, status, WNOHANG)) != pid) {
        if (waited < 0 && errno != EINTR)
            return fail(fault, "Try again.", "could not wait for key command \"%s\": %s", name,
                        strerror(errno));
        if (monotonic_millis() >= deadline) return too_late(name, fault);
        poll(nullptr, 0, 10);
    }
    return true;
}

bool collect(pid_t pid, int output, const char *name, Text *text, Fault *fault) {
    int64_t deadline = monotonic_millis() + kCommandTimeoutSeconds * 1000;
    int status = 0;
    if (!read_output(output, deadline, name, text, fault) ||
        !wait_for_end(pid, deadline, name, &status, fault)) {
        kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        return false;
    }
    if (WIFSIGNALED(status))
        return fail(fault, kRunByHand, "key command \"%s\" was ended by signal %d", name,
                    WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return fail(fault, kRunByHand, "key command \"%s\" failed with exit code %d", name,
                    WEXITSTATUS(status));
    return true;
}

}  // namespace

bool run_command(const char *command, Text *text, Fault *fault) {
    char words[1024];
    char *argv[kMaxWords + 1] = {};
    int count = 0;
    if (strlcpy(words, command, sizeof words) >= sizeof words)
        return fail(fault, "Put the arguments into a script.",
                    "key command is longer than %zu bytes", sizeof words - 1);
    char *rest = nullptr;
    for (char *word = strtok_r(words, " ", &rest); word != nullptr;
         word = strtok_r(nullptr, " ", &rest)) {
        if (count == kMaxWords)
            return fail(fault, "Put the arguments into a script.",
                        "key command has more than %d words", kMaxWords);
        argv[count++] = word;
    }
    if (count == 0 || argv[0][0] != '/')
        return fail(
            fault, "Write command: and an absolute path, then arguments separated by spaces.",
            "key command \"%s\" does not begin with an absolute path", count > 0 ? argv[0] : "");
    if (!check_program(argv[0], fault)) return false;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return fail(fault, "Try again.", "could not run key command \"%s\": %s", argv[0],
                    strerror(errno));
    pid_t pid = 0;
    int error = spawn(argv, pipes[1], &pid);
    close(pipes[1]);
    bool good =
        error == 0
            ? collect(pid, pipes[0], argv[0], text, fault)
            : fail(fault, "Check that the file exists and is executable for the server's user.",
                   "could not run key command \"%s\": %s", argv[0], strerror(error));
    close(pipes[0]);
    return good;
}

}  // namespace aegis::key

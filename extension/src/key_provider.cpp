// SPDX-License-Identifier: Apache-2.0
// The two providers: a file that only the server's user can read, and a command that prints the
// same text. Both are checked before their content is looked at.
#include "key_provider.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "pg/guard.hpp"

namespace aegis::key {

namespace {

constexpr const char *kMakeOne =
    "Create a key file with aegis-keygen, or correct aegis.key_provider.";

struct Text {  // holds key material; the caller wipes it
    char bytes[kMaxKeyringText + 1];
    size_t size;
};

__attribute__((format(printf, 3, 4))) bool fail(Fault *fault, const char *hint, const char *format,
                                                ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    strlcpy(fault->hint, hint, sizeof fault->hint);
    return false;
}

// False when the descriptor failed or holds more than a keyring may.
bool append(int descriptor, Text *text, bool *finished) {
    ssize_t got = read(descriptor, text->bytes + text->size, sizeof text->bytes - text->size);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    *finished = got == 0;
    text->size += static_cast<size_t>(got);
    return text->size <= kMaxKeyringText;
}

bool is_inside(const char *path, const char *folder) {
    char *real_path = realpath(path, nullptr);
    char *real_folder = realpath(folder, nullptr);
    bool inside = false;
    if (real_path != nullptr && real_folder != nullptr) {
        size_t length = strlen(real_folder);
        inside = strncmp(real_path, real_folder, length) == 0 && real_path[length] == '/';
    }
    free(real_path);
    free(real_folder);
    return inside;
}

// The checks look at the opened file, so that it cannot be exchanged in between.
bool check_file(int descriptor, const char *path, Fault *fault) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return fail(fault, kMakeOne, "could not examine key file \"%s\": %s", path,
                    strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(fault, kMakeOne, "key file \"%s\" is not a regular file", path);
    if (status.st_uid != geteuid())
        return fail(fault, "Give the file to the user that runs the server with chown.",
                    "key file \"%s\" is not owned by the user that runs the server", path);
    unsigned mode = status.st_mode & 07777;
    if (mode != 0400 && mode != 0600)
        return fail(fault, "Run chmod 0400 on the file.",
                    "key file \"%s\" has mode %04o, allowed are 0400 and 0600", path, mode);
    if (is_inside(path, DataDir))
        return fail(fault,
                    "Move it elsewhere: a copy of the data directory must not contain its own key.",
                    "key file \"%s\" is inside the data directory", path);
    return true;
}

bool read_file(const char *path, Text *text, Fault *fault) {
    if (path[0] != '/')
        return fail(fault, "Write file: and an absolute path.",
                    "key file \"%s\" is not an absolute path", path);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        if (errno == ENOENT) return fail(fault, kMakeOne, "key file \"%s\" does not exist", path);
        return fail(fault, kMakeOne, "could not open key file \"%s\": %s", path, strerror(errno));
    }
    bool good = check_file(descriptor, path, fault);
    bool finished = false;
    while (good && !finished)
        if (!append(descriptor, text, &finished))
            good = fail(fault, kMakeOne,
                        "could not read key file \"%s\", or it is longer than %zu bytes", path,
                        kMaxKeyringText);
    close(descriptor);
    return good;
}

int64_t monotonic_millis() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
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

// Reads what the command prints until it closes its output; kills its process group when late.
bool collect(pid_t pid, int output, const char *name, Text *text, Fault *fault) {
    static const char *hint =
        "Run the command by hand as the server's user; it must print lines \"version:hex\".";
    int64_t deadline = monotonic_millis() + kCommandTimeoutSeconds * 1000;
    bool finished = false, good = true;
    while (good && !finished) {
        int64_t left = deadline - monotonic_millis();
        struct pollfd ready = {output, POLLIN, 0};
        int polled = left > 0 ? poll(&ready, 1, static_cast<int>(left)) : 0;
        if (polled == 0)
            good = fail(fault, hint, "key command \"%s\" did not finish within %d seconds", name,
                        kCommandTimeoutSeconds);
        else if (polled > 0 && !append(output, text, &finished))
            good = fail(fault, hint, "key command \"%s\" printed more than %zu bytes", name,
                        kMaxKeyringText);
    }
    int status = 0;
    pid_t waited = 0;
    while (good && (waited = waitpid(pid, &status, WNOHANG)) == 0) {
        if (monotonic_millis() >= deadline)
            good = fail(fault, hint, "key command \"%s\" did not finish within %d seconds", name,
                        kCommandTimeoutSeconds);
        else
            poll(nullptr, 0, 10);
    }
    if (!good) {
        kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        return false;
    }
    if (waited == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (waited == pid && WIFEXITED(status))
        return fail(fault, hint, "key command \"%s\" failed with exit code %d", name,
                    WEXITSTATUS(status));
    return fail(fault, hint, "key command \"%s\" was ended by a signal", name);
}

bool run_command(const char *command, Text *text, Fault *fault) {
    constexpr int kMaxWords = 32;
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

}  // namespace

bool read_provider(const char *setting, core::Keyring *keyring, Fault *fault) {
    memset(keyring, 0, sizeof *keyring);
    memset(fault, 0, sizeof *fault);
    if (setting == nullptr || *setting == '\0') return true;

    Text text;
    text.size = 0;
    bool good;
    if (strncmp(setting, "file:", 5) == 0)
        good = read_file(setting + 5, &text, fault);
    else if (strncmp(setting, "command:", 8) == 0)
        good = run_command(setting + 8, &text, fault);
    else
        good = fail(fault, "Valid forms are file:PATH and command:PATH ARG...",
                    "aegis.key_provider names no known provider");
    if (good) {
        pg::Report report = pg::run([&] { core::parse_keyring({text.bytes, text.size}, keyring); });
        if (report.failed)
            good = fail(fault, "Each line is version:64 hex digits, as aegis-keygen writes it.",
                        "key provider delivered no valid keyring: %s",
                        report.message ? report.message : report.text);
    }
    core::wipe({reinterpret_cast<uint8_t *>(text.bytes), sizeof text.bytes});
    return good;
}

}  // namespace aegis::key

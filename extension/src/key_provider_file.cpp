// SPDX-License-Identifier: Apache-2.0
// file:PATH, a file that only the server's user can read.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "key_provider_text.hpp"

namespace aegis::key {

namespace {

constexpr const char *kGiveToServer =
    "The user that runs the server must own the file and be able to enter its folders.";

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

}  // namespace

bool read_file(const char *path, Text *text, Fault *fault) {
    if (path[0] != '/')
        return fail(fault, "Write file: and an absolute path.",
                    "key file \"%s\" is not an absolute path", path);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        if (errno == ENOENT) return fail(fault, kMakeOne, "key file \"%s\" does not exist", path);
        const char *hint = errno == EACCES ? kGiveToServer : kMakeOne;
        return fail(fault, hint, "could not open key file \"%s\": %s", path, strerror(errno));
    }
    bool good = check_file(descriptor, path, fault);
    Got got = Got::more;
    while (good && (got = append(descriptor, text)) == Got::more) {
    }
    if (got == Got::too_much)
        good = fail(fault, kMakeOne, "key file \"%s\" is longer than %zu bytes", path,
                    kMaxKeyringText);
    else if (got == Got::error)
        good = fail(fault, "Check the file system.", "could not read key file \"%s\": %s", path,
                    strerror(errno));
    close(descriptor);
    return good;
}

}  // namespace aegis::key

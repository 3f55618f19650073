// SPDX-License-Identifier: Apache-2.0
#include "state_folder.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/digest.hpp"
#include "core/encoding.hpp"

namespace aegis::server {

bool exists(const std::string &path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) return true;
    if (errno != ENOENT) fail_with_errno("could not look at \"" + path + "\"");
    return false;
}

std::string hex_of_name(const std::string &origin) {
    const core::Digest digest = core::sha256(core::as_bytes(origin));
    char hex[2 * core::kDigestBytes];
    core::to_hex(digest.view(), hex);
    return std::string(hex, sizeof hex);
}

std::string head_path(const std::string &folder, const std::string &origin) {
    return folder + "/heads/" + hex_of_name(origin);
}

Descriptor lock_folder(const std::string &folder) {
    const std::string path = folder + "/lock";
    Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kStateMode));
    if (lock.get() < 0) fail_with_errno("could not open \"" + path + "\"");
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) throw FileError("another process uses \"" + folder + "\"");
        fail_with_errno("could not lock \"" + path + "\"");
    }
    return lock;
}

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
#include "durable_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace aegis::server {

namespace {

void write_all(int descriptor, std::string_view content, const std::string &path) {
    size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = write(descriptor, content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_with_errno("could not write \"" + path + "\"");
        done += static_cast<size_t>(count);
    }
    if (fsync(descriptor) != 0) fail_with_errno("could not write \"" + path + "\" to disk");
}

void sync_folder_of(const std::string &path) {
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.get() < 0 || fsync(opened.get()) != 0)
        fail_with_errno("could not write folder \"" + folder + "\" to disk");
}

// False when there is a file of this name. Its name is on disk only with its folder.
bool write_new(const std::string &path, std::string_view content, unsigned mode) {
    const Descriptor file(
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0 && errno == EEXIST) return false;
    if (file.get() < 0) fail_with_errno("could not create \"" + path + "\"");
    try {
        if (fchmod(file.get(), mode) != 0)
            fail_with_errno("could not set the mode of \"" + path + "\"");
        write_all(file.get(), content, path);
    } catch (const FileError &) {
        unlink(path.c_str());
        throw;
    }
    return true;
}

}  // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) close(number_);
}

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
    if (this != &other) {
        if (number_ >= 0) close(number_);
        number_ = other.release();
    }
    return *this;
}

int Descriptor::release() {
    const int number = number_;
    number_ = -1;
    return number;
}

void fail_with_errno(const std::string &what) {
    throw FileError(what + ": " + strerror(errno));
}

std::string read_file(const std::string &path, size_t most) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) fail_with_errno("could not open \"" + path + "\"");
    std::string content;
    char buffer[4096];
    for (;;) {
        const ssize_t count = read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_with_errno("could not read \"" + path + "\"");
        if (count == 0) return content;
        content.append(buffer, static_cast<size_t>(count));
        if (content.size() > most) throw FileError("\"" + path + "\" is too long");
    }
}

bool create_file(const std::string &path, std::string_view content, unsigned mode) {
    if (!write_new(path, content, mode)) return false;
    sync_folder_of(path);
    return true;
}

bool create_whole_file(const std::string &path, std::string_view content, unsigned mode) {
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    const Descriptor file(open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (file.get() < 0) {
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
            fail_with_errno("could not write to folder \"" + folder + "\"");
        return create_file(path, content, mode);
    }
    if (fchmod(file.get(), mode) != 0)
        fail_with_errno("could not set the mode of \"" + path + "\"");
    write_all(file.get(), content, path);
    const std::string unnamed = "/proc/self/fd/" + std::to_string(file.get());
    if (linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        if (errno == EEXIST) return false;
        fail_with_errno("could not name \"" + path + "\"");
    }
    sync_folder_of(path);
    return true;
}

void replace_file(const std::string &path, std::string_view content, unsigned mode) {
    const std::string fresh = path + ".new";
    unlink(fresh.c_str());  // of an interrupted run
    if (!write_new(fresh, content, mode)) throw FileError("\"" + fresh + "\" is in the way");
    if (rename(fresh.c_str(), path.c_str()) != 0)
        fail_with_errno("could not replace \"" + path + "\"");
    sync_folder_of(path);
}

void make_private_folder(const std::string &path) {
    if (mkdir(path.c_str(), 0700) == 0) {
        sync_folder_of(path);
    } else if (errno != EEXIST) {
        fail_with_errno("could not make folder \"" + path + "\"");
    }
    check_private(path);
}

void check_private(const std::string &path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) fail_with_errno("could not look at \"" + path + "\"");
    if (status.st_uid != geteuid())
        throw FileError("\"" + path + "\" does not belong to the user that runs this program");
    if ((status.st_mode & 077) != 0) throw FileError("\"" + path + "\" is open to other users");
}

void check_writable_folder(const std::string &path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) fail_with_errno("could not look at \"" + path + "\"");
    if (!S_ISDIR(status.st_mode)) throw FileError("\"" + path + "\" is not a folder");
    if ((status.st_mode & 002) != 0) throw FileError("everybody may write to \"" + path + "\"");
    if (access(path.c_str(), W_OK | X_OK) != 0) fail_with_errno("cannot write to \"" + path + "\"");
}

}  // namespace aegis::server

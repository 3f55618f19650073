// SPDX-License-Identifier: Apache-2.0
#include "key_file.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "durable_file.hpp"

namespace aegis::key_file {

namespace {

using server::Descriptor;

void write_all(int descriptor, const std::string &text, const std::string &path) {
    size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = write(descriptor, text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            fail(system_error("could not write \"" + path + "\""), "Check the file system.");
        done += static_cast<size_t>(count);
    }
    if (fsync(descriptor) != 0)
        fail(system_error("could not write \"" + path + "\" to disk"), "Check the file system.");
}

void sync_folder(const std::string &path) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.get() < 0 || fsync(opened.get()) != 0)
        fail(system_error("could not write folder \"" + folder + "\" to disk"),
             "Check the file system.");
}

void write_new(const std::string &path, const std::string &content, const Owner &owner) {
    const Descriptor file(
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0 && errno == EEXIST)
        fail("file \"" + path + "\" exists and is not overwritten",
             "Use --next to add a version to it, or choose another name.");
    if (file.get() < 0)
        fail(system_error("could not create \"" + path + "\""),
             "Check the folder and your rights in it.");
    try {
        if (fchmod(file.get(), 0600) != 0 ||
            (owner.given && fchown(file.get(), owner.user, owner.group) != 0))
            fail(system_error("could not set owner and mode of \"" + path + "\""),
                 "Run it as root to give the file away.");
        write_all(file.get(), content, path);
    } catch (const Failure &) {
        unlink(path.c_str());
        throw;
    }
}

}  // namespace

void fail(const std::string &message, const std::string &hint, int status) {
    throw Failure{message, hint, status};
}

std::string system_error(const std::string &what) {
    return what + ": " + strerror(errno);
}

Owner find_owner(const std::string &name) {
    if (name.empty()) return {};
    const struct passwd *entry = getpwnam(name.c_str());
    if (entry == nullptr)
        fail("user \"" + name + "\" does not exist", "Name the user that runs the server.");
    return {true, entry->pw_uid, entry->pw_gid};
}

void create(const std::string &path, const std::string &content, const Owner &owner) {
    write_new(path, content, owner);
    sync_folder(path);
}

void replace(const std::string &path, const std::string &content, const Owner &owner) {
    const std::string fresh = path + ".new";
    write_new(fresh, content, owner);
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        const std::string message = system_error("could not replace \"" + path + "\"");
        unlink(fresh.c_str());
        fail(message, "Check the folder and your rights in it.");
    }
    sync_folder(path);
}

void read(const std::string &path, SecretText *content, Owner *owner) {
    const bool standard = path == "-";
    const Descriptor file(standard ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0)
        fail(system_error("could not open \"" + path + "\""), "Name an existing file.");
    if (!standard && !S_ISREG(status.st_mode))
        fail("\"" + path + "\" is not a regular file", "Name the key file itself.");
    if (owner != nullptr && !owner->given) *owner = {true, status.st_uid, status.st_gid};
    struct Buffer {
        char bytes[4096];
        ~Buffer() { core::wipe({reinterpret_cast<uint8_t *>(bytes), sizeof bytes}); }
    } buffer;
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer.bytes, sizeof buffer.bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(system_error("could not read \"" + path + "\""), "Check your rights.");
        if (count == 0) break;
        content->text.append(buffer.bytes, static_cast<size_t>(count));
        if (content->text.size() > kMaxFile)
            fail("\"" + path + "\" is too long for a key file", "Name the key file itself.");
    }
}

void read_keyring(const std::string &path, SecretKeyring *keys) {
    SecretText content;
    read(path, &content);
    int line = 0;
    try {
        core::parse_keyring(content.text, &keys->ring, &line);
    } catch (const core::Error &error) {
        const std::string where = line > 0 ? ", line " + std::to_string(line) : "";
        fail("\"" + path + "\"" + where + ": " + error.message,
             "Each line is version:64 hex digits.");
    }
}

std::string remark(uint32_t version) {
    const time_t now = time(nullptr);
    struct tm utc {};
    gmtime_r(&now, &utc);
    char day[16];
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    return "# version " + std::to_string(version) + ", made " + day + "\n";
}

void append_key(const core::MasterKey &key, SecretText *out) {
    char hex[2 * core::kKeyBytes];
    core::to_hex(key.key, hex);
    out->text += std::to_string(key.version) + ":";
    out->text.append(hex, sizeof hex);
    out->text += "\n";
    core::wipe({reinterpret_cast<uint8_t *>(hex), sizeof hex});
}

std::string check_value(const core::MasterKey &key) {
    uint8_t check[core::kCheckValueBytes];
    core::master_check_value(key, check);
    char hex[2 * sizeof check];
    core::to_hex(check, hex);
    return std::string(hex, sizeof hex);
}

void print_check_values(const core::Keyring &ring) {
    for (int i = 0; i < ring.count; i++)
        printf("version %u, check value %s%s\n", ring.keys[i].version,
               check_value(ring.keys[i]).c_str(), i == ring.count - 1 ? ", active" : "");
}

int run(const char *program, int (*body)(int argc, char **argv), int argc, char **argv) {
    std::string message, hint;
    int status = 1;
    try {
        status = body(argc, argv);
        if (fflush(stdout) == 0) return status;
        message = system_error("could not write to standard output");
        hint = "Check where it goes.";
        status = 1;
    } catch (const Failure &failure) {
        message = failure.message;
        hint = failure.hint;
        status = failure.status;
    } catch (const core::Error &error) {
        message = error.message;
        hint = "Try again.";
    } catch (const std::exception &error) {
        message = error.what();
        hint = "Try again.";
    }
    fprintf(stderr, "%s: %s\nhint: %s\n", program, message.c_str(), hint.c_str());
    return status;
}

}  // namespace aegis::key_file

// SPDX-License-Identifier: Apache-2.0
// aegis-keygen: makes a key file with a new master key, or adds the next version to one. It never
// overwrites a key: what was sealed under it would be lost. docs/key.md.
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/keyring.hpp"
#include "core/random.hpp"

namespace {

using namespace aegis;

struct Failure {
    std::string message;
    std::string hint;
};

[[noreturn]] void fail(const std::string &message, const std::string &hint) {
    throw Failure{message, hint};
}

std::string system_error(const std::string &what) {
    return what + ": " + strerror(errno);
}

// Text with keys in it; wiped when it goes.
struct SecretText {
    std::string text;
    SecretText() { text.reserve(16 * 1024); }
    ~SecretText() { core::wipe({reinterpret_cast<uint8_t *>(text.data()), text.size()}); }
};

struct Descriptor {
    int number;
    ~Descriptor() {
        if (number >= 0) close(number);
    }
};

struct Owner {
    bool given = false;
    uid_t user = 0;
    gid_t group = 0;
};

Owner find_owner(const std::string &name) {
    if (name.empty()) return {};
    const struct passwd *entry = getpwnam(name.c_str());
    if (entry == nullptr)
        fail("user \"" + name + "\" does not exist", "Name the user that runs the server.");
    return {true, entry->pw_uid, entry->pw_gid};
}

void append_key(SecretText *out, uint32_t version, core::MasterKey *key) {
    key->version = version;
    core::random_secret(key->key);
    char hex[2 * core::kKeyBytes];
    core::to_hex(key->key, hex);
    const time_t now = time(nullptr);
    struct tm utc {};
    gmtime_r(&now, &utc);
    char day[16];
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    out->text += "# version " + std::to_string(version) + ", made " + day + "\n" +
                 std::to_string(version) + ":";
    out->text.append(hex, sizeof hex);
    out->text += "\n";
    core::wipe({reinterpret_cast<uint8_t *>(hex), sizeof hex});
}

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
    const Descriptor opened{open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (opened.number < 0 || fsync(opened.number) != 0)
        fail(system_error("could not write folder \"" + folder + "\" to disk"),
             "Check the file system.");
}

// A new file that only its owner can read. Refuses when there is one.
void create_file(const std::string &path, const SecretText &content, const Owner &owner) {
    const Descriptor file{
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.number < 0 && errno == EEXIST)
        fail("file \"" + path + "\" exists and is not overwritten",
             "Use --next to add a version to it, or choose another name.");
    if (file.number < 0)
        fail(system_error("could not create \"" + path + "\""),
             "Check the folder and your rights in it.");
    try {
        if (fchmod(file.number, 0600) != 0 ||
            (owner.given && fchown(file.number, owner.user, owner.group) != 0))
            fail(system_error("could not set owner and mode of \"" + path + "\""),
                 "Run it as root to give the file away.");
        write_all(file.number, content.text, path);
    } catch (const Failure &) {
        unlink(path.c_str());
        throw;
    }
}

core::MasterKey make_first(const std::string &path, const Owner &owner) {
    SecretText content;
    core::MasterKey key{};
    append_key(&content, 1, &key);
    create_file(path, content, owner);
    sync_folder(path);
    return key;
}

void read_file(const std::string &path, SecretText *content, Owner *owner) {
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status {};
    if (file.number < 0 || fstat(file.number, &status) != 0)
        fail(system_error("could not open \"" + path + "\""), "Without --next a new file is made.");
    if (!S_ISREG(status.st_mode))
        fail("\"" + path + "\" is not a regular file", "Name the key file itself.");
    if (!owner->given) *owner = {true, status.st_uid, status.st_gid};
    char buffer[4096];
    for (;;) {
        const ssize_t count = read(file.number, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(system_error("could not read \"" + path + "\""), "Check your rights.");
        if (count == 0) break;
        content->text.append(buffer, static_cast<size_t>(count));
        if (content->text.size() > 12 * 1024)
            fail("\"" + path + "\" is too long for a key file", "Name the key file itself.");
    }
    core::wipe({reinterpret_cast<uint8_t *>(buffer), sizeof buffer});
}

// The old file stays as it is until the new one is complete on disk.
core::MasterKey add_next(const std::string &path, Owner owner) {
    SecretText content;
    read_file(path, &content, &owner);
    core::Keyring ring{};
    core::parse_keyring(content.text, &ring);
    const int count = ring.count;
    const uint32_t last = ring.keys[count - 1].version;
    core::wipe({reinterpret_cast<uint8_t *>(&ring), sizeof ring});
    if (count == core::kMaxMasterVersions)
        fail("\"" + path + "\" already has " + std::to_string(count) + " versions",
             "Remove versions that nothing uses.");
    if (!content.text.empty() && content.text.back() != '\n') content.text += '\n';
    core::MasterKey key{};
    append_key(&content, last + 1, &key);
    const std::string fresh = path + ".new";
    create_file(fresh, content, owner);
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        const std::string message = system_error("could not replace \"" + path + "\"");
        unlink(fresh.c_str());
        fail(message, "Check the folder and your rights in it.");
    }
    sync_folder(path);
    return key;
}

void tell(const std::string &path, core::MasterKey *key) {
    uint8_t check[core::kCheckValueBytes];
    core::master_check_value(*key, check);
    core::wipe(key->key);
    char hex[2 * core::kCheckValueBytes];
    core::to_hex(check, hex);
    printf(
        "wrote %s\n"
        "master key version %u, check value %.*s\n"
        "\n"
        "Keep a copy of this file in another place than the database's backups: without it "
        "nothing\n"
        "that is sealed can be read again, with both of them everything can.\n"
        "\n"
        "Set in postgresql.conf: aegis.key_provider = 'file:%s'\n",
        path.c_str(), key->version, static_cast<int>(sizeof hex), hex, path.c_str());
}

}  // namespace

int main(int argc, char **argv) {
    CLI::App app(
        "Makes a master key for Aegis.\n\n"
        "Writes a new key file that only its owner can read (mode 0600). The server reads it when "
        "its\n"
        "owner is the user that runs the server and it lies outside the data directory.",
        "aegis-keygen");
    std::string path, owner_name;
    bool next = false;
    app.add_option("file", path, "Key file to make; an absolute path")->required();
    app.add_flag("--next", next, "Add the next version to an existing file");
    app.add_option("--owner", owner_name, "Give the file to this user (needs root)");
    CLI11_PARSE(app, argc, argv);

    std::string message, hint;
    try {
        if (path.empty() || path.front() != '/')
            fail("\"" + path + "\" is not an absolute path", "The server wants an absolute path.");
        const Owner owner = find_owner(owner_name);
        core::MasterKey key = next ? add_next(path, owner) : make_first(path, owner);
        tell(path, &key);
        return fflush(stdout) == 0 ? 0 : 1;
    } catch (const Failure &failure) {
        message = failure.message;
        hint = failure.hint;
    } catch (const core::Error &error) {
        message = "\"" + path + "\": " + error.message;
        hint = "Each line is version:64 hex digits.";
    } catch (const std::exception &error) {
        message = error.what();
        hint = "Try again.";
    }
    fprintf(stderr, "aegis-keygen: %s\nhint: %s\n", message.c_str(), hint.c_str());
    return 1;
}

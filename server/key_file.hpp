// SPDX-License-Identifier: Apache-2.0
// Files of master keys, as aegis-keygen and aegis-pkcs11 write and read them: only their owner can
// read them, none is overwritten, and a new content is on disk before it takes the place of the old
// one.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/keyring.hpp"

namespace aegis::key_file {

// What ends a program: two lines on its standard error, and its exit status. Never a secret.
struct Failure {
    std::string message;
    std::string hint;
    int status;
};
[[noreturn]] void fail(const std::string &message, const std::string &hint, int status = 1);
// "WHAT: the system's reason".
std::string system_error(const std::string &what);

inline constexpr size_t kMaxFile = 12 * 1024;

// Text with keys in it; wiped when it goes. Longer than kMaxFile and a line it must not become: a
// string that grows leaves copies behind.
struct SecretText {
    std::string text;
    SecretText() { text.reserve(kMaxFile + 4096); }
    SecretText(const SecretText &) = delete;
    SecretText &operator=(const SecretText &) = delete;
    ~SecretText() { core::wipe({reinterpret_cast<uint8_t *>(text.data()), text.size()}); }
};

struct SecretKeyring {
    core::Keyring ring{};
    ~SecretKeyring() { core::wipe({reinterpret_cast<uint8_t *>(&ring), sizeof ring}); }
};

struct Owner {
    bool given = false;
    uid_t user = 0;
    gid_t group = 0;
};
Owner find_owner(const std::string &name);  // an empty name is none

// A new file of mode 0600. Refuses when there is one.
void create(const std::string &path, const std::string &content, const Owner &owner);
void replace(const std::string &path, const std::string &content, const Owner &owner);
// "-" is the standard input. `owner`, unless given already, becomes the file's.
void read(const std::string &path, SecretText *content, Owner *owner = nullptr);
// The same of a key file, parsed.
void read_keyring(const std::string &path, SecretKeyring *keys);

// "# version N, made DAY", a line.
std::string remark(uint32_t version);
void append_key(const core::MasterKey &key, SecretText *out);  // the line of a key
std::string check_value(const core::MasterKey &key);           // as hex
// A line for each version with its check value, which may be shown to anybody.
void print_check_values(const core::Keyring &ring);

// Runs `body` and returns its exit status; says on standard error why it failed.
int run(const char *program, int (*body)(int argc, char **argv), int argc, char **argv);

}  // namespace aegis::key_file

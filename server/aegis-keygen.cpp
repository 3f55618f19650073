// SPDX-License-Identifier: Apache-2.0
// aegis-keygen: makes a key file with a new master key, adds the next version to one, or tells
// whether a copy is a good one; for tenants, a key of their own, sealed for a database. It never
// overwrites a key: what was sealed under it would be lost. docs/key.md, docs/key_adopt.md.
#include <cstdio>
#include <string>

#include "command_line.hpp"
#include "core/random.hpp"
#include "key_file.hpp"
#include "keygen_tenant.hpp"

namespace {

using namespace aegis;

struct SecretKey {
    core::MasterKey key{};
    ~SecretKey() { core::wipe(key.key); }
};

void draw(uint32_t version, SecretKey *key) {
    key->key.version = version;
    core::random_secret(key->key.key);
}

void make_first(const std::string &path, const key_file::Owner &owner, SecretKey *key) {
    key_file::SecretText content;
    draw(1, key);
    content.text += key_file::remark(1);
    key_file::append_key(key->key, &content);
    key_file::create(path, content.text, owner);
}

// The old file stays as it is until the new one is complete on disk.
void add_next(const std::string &path, key_file::Owner owner, SecretKey *key) {
    key_file::SecretText content;
    key_file::SecretKeyring keys;
    key_file::read_keyring(path, &keys);
    key_file::read(path, &content, &owner);
    const int count = keys.ring.count;
    if (count == core::kMaxMasterVersions)
        key_file::fail("\"" + path + "\" already has " + std::to_string(count) + " versions",
                       "Remove versions that nothing uses.");
    if (!content.text.empty() && content.text.back() != '\n') content.text += '\n';
    draw(keys.ring.keys[count - 1].version + 1, key);
    content.text += key_file::remark(key->key.version);
    key_file::append_key(key->key, &content);
    key_file::replace(path, content.text, owner);
}

void tell(const std::string &path, const SecretKey &key) {
    printf(
        "wrote %s\n"
        "master key version %u, check value %s\n"
        "\n"
        "Keep a copy of this file in another place than the database's backups: without it "
        "nothing\n"
        "that is sealed can be read again, with both of them everything can.\n"
        "\n"
        "Set in postgresql.conf: aegis.key_provider = 'file:%s'\n",
        path.c_str(), key.key.version, key_file::check_value(key.key).c_str(), path.c_str());
}

int keygen(int argc, char **argv) {
    command_line::Program program(
        "Makes a master key for Aegis.\n\n"
        "Writes a new key file that only its owner can read (mode 0600). The server reads it when "
        "its\n"
        "owner is the user that runs the server and it lies outside the data directory.",
        "aegis-keygen");
    program.footer(
        "\nKeep a copy of every version, apart from the database's backups: copy the file to a "
        "medium "
        "that\n"
        "is locked away, or print it, or split each key among several people (ssss-split -x). Test "
        "each\n"
        "copy, without showing a key:\n"
        "  aegis-keygen --check COPY     prints versions and check values\n"
        "  psql -c 'SELECT version, check_value FROM aegis.key_status()'     prints the same\n"
        "\n"
        "Exit status: 0, or 1 with the reason on standard error.");
    std::string path, owner_name;
    bool next = false, check = false;
    program.option("file", &path, "Key file to make; an absolute path").required();
    const command_line::Option next_option =
        program.flag("--next", &next, "Add the next version to an existing file");
    const command_line::Option owner_option =
        program.option("--owner", &owner_name, "Give the file to this user (needs root)");
    program
        .flag("--check", &check,
              "Change nothing; print versions and check values of a file, or of - (standard "
              "input)")
        .excludes(next_option)
        .excludes(owner_option);
    keygen_tenant::Wish wish;
    keygen_tenant::add_options(&program, &wish);
    int status = 0;
    if (!program.parse(argc, argv, &status)) return status;
    if (wish.wanted()) return keygen_tenant::run(path, wish);

    if (check) {
        key_file::SecretKeyring keys;
        key_file::read_keyring(path, &keys);
        key_file::print_check_values(keys.ring);
        return 0;
    }
    if (path.empty() || path.front() != '/')
        key_file::fail("\"" + path + "\" is not an absolute path",
                       "The server wants an absolute path.");
    const key_file::Owner owner = key_file::find_owner(owner_name);
    SecretKey key;
    if (next)
        add_next(path, owner, &key);
    else
        make_first(path, owner, &key);
    tell(path, key);
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    return key_file::run("aegis-keygen", keygen, argc, argv);
}

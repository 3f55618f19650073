// SPDX-License-Identifier: Apache-2.0
// aegis-pkcs11: a key command of the server for master keys that lie in a file, wrapped by a key of
// a PKCS#11 token. Prints them; makes the token's key, the file, and further versions.
// docs/key_provider.md.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "command_line.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "key_file.hpp"
#include "token.hpp"

namespace {

using namespace aegis;

constexpr unsigned kSeconds = 9;  // the server waits for ten

struct Options {
    std::string module, token, key = "aegis", pin_file, file, from;
    bool make_key = false, create = false, next = false, check = false;
};

void say_late(int) {
    static const char text[] =
        "aegis-pkcs11: the module did not answer within 9 seconds\n"
        "hint: Check the token, and the network to it.\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(token::kTime);
    _exit(token::kTime);
}

// Keys of the file are in this process for a moment: no core dump, no debugger of the same user.
void guard_process() {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGALRM, say_late);
    alarm(kSeconds);
}

void read_wrapped(const std::string &path, std::string *text, core::WrappedKeyring *ring,
                  key_file::Owner *owner = nullptr) {
    key_file::SecretText content;
    int line = 0;
    try {
        key_file::read(path, &content, owner);
        core::parse_wrapped_keyring(content.text, ring, &line);
    } catch (const core::Error &error) {
        const std::string where = line > 0 ? ", line " + std::to_string(line) : "";
        key_file::fail("\"" + path + "\"" + where + ": " + error.message,
                       "Name a file that aegis-pkcs11 made, or a copy of it.", token::kFile);
    } catch (key_file::Failure &failure) {
        failure.status = token::kFile;
        throw;
    }
    *text = content.text;
}

void unwrap_all(token::Token *token, const core::WrappedKeyring &wrapped,
                key_file::SecretKeyring *keys) {
    for (int i = 0; i < wrapped.count; i++) token->unwrap(wrapped.keys[i], &keys->ring.keys[i]);
    keys->ring.count = wrapped.count;
}

std::string wrapped_line(token::Token *token, const core::MasterKey &key) {
    core::WrappedKey wrapped;
    token->wrap(key, &wrapped);
    std::string hex(core::hex_size(sizeof wrapped.bytes), '\0');
    core::to_hex(wrapped.bytes, hex.data());
    return key_file::remark(key.version) + std::to_string(key.version) + ":" + hex + "\n";
}

void print_keys(const core::Keyring &ring) {
    if (isatty(STDOUT_FILENO) == 1)
        key_file::fail("master keys are not shown on a terminal",
                       "Use --check for check values, or send the output to a file.");
    key_file::SecretText text;
    for (int i = 0; i < ring.count; i++) key_file::append_key(ring.keys[i], &text);
    size_t done = 0;
    while (done < text.text.size()) {
        const ssize_t count =
            write(STDOUT_FILENO, text.text.data() + done, text.text.size() - done);
        if (count < 0)
            key_file::fail(key_file::system_error("could not write to standard output"),
                           "Check where it goes.");
        done += static_cast<size_t>(count);
    }
}

void tell(const Options &options, const core::Keyring &ring) {
    printf("wrote %s, wrapped by key \"%s\" of token \"%s\"\n", options.file.c_str(),
           options.key.c_str(), options.token.c_str());
    key_file::print_check_values(ring);
    printf(
        "\nWithout the token's key this file opens nothing, and without both nothing that is "
        "sealed can be\nread again: see to copies of the token, or keep the keys themselves under "
        "lock.\n");
}

void create(const Options &options, token::Token *token) {
    key_file::SecretKeyring keys;
    if (options.from.empty()) {
        keys.ring.count = 1;
        keys.ring.keys[0].version = 1;
        core::random_secret(keys.ring.keys[0].key);
    } else {
        key_file::read_keyring(options.from, &keys);
    }
    std::string text = "# master keys of Aegis, wrapped by key \"" + options.key +
                       "\" of token \"" + options.token + "\"\n";
    for (int i = 0; i < keys.ring.count; i++) text += wrapped_line(token, keys.ring.keys[i]);
    key_file::create(options.file, text, {});
    tell(options, keys.ring);
}

// Opens all that are there first, so that one file never has versions of two keys.
void add_next(const Options &options, token::Token *token) {
    std::string text;
    core::WrappedKeyring wrapped;
    key_file::Owner owner;
    key_file::SecretKeyring keys;
    read_wrapped(options.file, &text, &wrapped, &owner);
    unwrap_all(token, wrapped, &keys);
    const int count = keys.ring.count;
    if (count == core::kMaxMasterVersions)
        key_file::fail(
            "\"" + options.file + "\" already has " + std::to_string(count) + " versions",
            "Remove versions that nothing uses.");
    core::MasterKey &key = keys.ring.keys[count];
    key.version = keys.ring.keys[count - 1].version + 1;
    core::random_secret(key.key);
    keys.ring.count++;
    if (text.back() != '\n') text += '\n';
    text += wrapped_line(token, key);
    key_file::replace(options.file, text, owner);
    tell(options, keys.ring);
}

void unwrap(const Options &options, token::Token *token) {
    std::string text;
    core::WrappedKeyring wrapped;
    key_file::SecretKeyring keys;
    read_wrapped(options.file, &text, &wrapped);
    unwrap_all(token, wrapped, &keys);
    if (options.check)
        key_file::print_check_values(keys.ring);
    else
        print_keys(keys.ring);
}

void describe(command_line::Program *program, Options *options) {
    program->footer(
        "\nA token's key is AES-256 and cannot leave it; master keys are wrapped with AES-GCM. By "
        "steps:\n"
        "  aegis-pkcs11 --module M --token T --pin-file P --make-key       once, in the token\n"
        "  aegis-pkcs11 --module M --token T --pin-file P --create FILE    version 1\n"
        "  aegis.key_provider = 'command:/usr/bin/aegis-pkcs11 --module M --token T --pin-file P "
        "FILE'\n"
        "  aegis-pkcs11 --module M --token T --pin-file P --next FILE      then reload the server\n"
        "\n"
        "Exit status: 0, or 1 for a file that cannot be written, 2 module, 3 token, 4 PIN file, 5 "
        "PIN, 6 PIN\n"
        "locked, 7 key of the token, 8 file missing or damaged, 9 no answer within 9 seconds, 10 "
        "refused by the\n"
        "token, above 100 for wrong arguments; the reason is on standard error.");
    program->option("--module", &options->module, "PKCS#11 library of the token's maker; a path")
        .required();
    program->option("--token", &options->token, "Label of the token").required();
    program
        ->option("--pin-file", &options->pin_file,
                 "File with the PIN, mode 0400 or 0600, of the user that runs this")
        .required();
    program->option("--key", &options->key, "Label of the token's AES key").show_default();
    const command_line::Option file =
        program->option("file", &options->file, "File with the wrapped master keys");
    const command_line::Option make_key = program->flag(
        "--make-key", &options->make_key, "Make the token's AES key, and nothing else");
    const command_line::Option create = program->flag(
        "--create", &options->create, "Make the file, with version 1 of a new master key");
    const command_line::Option next =
        program->flag("--next", &options->next, "Add the next version to the file");
    const command_line::Option check = program->flag(
        "--check", &options->check, "Print versions and check values instead of the keys");
    program
        ->option("--from", &options->from,
                 "With --create: wrap the master keys of this key file instead of a new one")
        .needs(create);
    make_key.excludes(create).excludes(next).excludes(check).excludes(file);
    create.excludes(next).excludes(check).needs(file);
    next.excludes(check).needs(file);
    check.needs(file);
}

int pkcs11(int argc, char **argv) {
    command_line::Program program(
        "Prints master keys that a key of a PKCS#11 token (an HSM, a smart card) unwraps.",
        "aegis-pkcs11");
    Options options;
    describe(&program, &options);
    int status = 0;
    if (!program.parse(argc, argv, &status)) return status;
    if (options.file.empty() && !options.make_key)
        key_file::fail("no file is named", "Name the file with the wrapped master keys.");

    guard_process();
    token::Pin pin;
    token::read_pin(options.pin_file, &pin);
    token::Token token(options.module, options.token, options.make_key);
    token.login(pin);
    if (options.make_key) {
        token.make_key(options.key);
        printf("made AES-256 key \"%s\" in token \"%s\"\n", options.key.c_str(),
               options.token.c_str());
        return 0;
    }
    token.find_key(options.key);
    if (token.key_may_leave())
        fprintf(stderr, "aegis-pkcs11: warning: key \"%s\" may be taken out of the token\n",
                options.key.c_str());
    if (options.create)
        create(options, &token);
    else if (options.next)
        add_next(options, &token);
    else
        unwrap(options, &token);
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    return key_file::run("aegis-pkcs11", pkcs11, argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
// aegis-signer: holds the key that signs the ledger's checkpoints, outside the database, and signs
// only heads that extend the last one. docs/signer.md.
#include <cstdio>

#include <unistd.h>

#include "command_line.hpp"
#include "core/add_checkpoint.hpp"
#include "core/error.hpp"
#include "keeper.hpp"
#include "log.hpp"
#include "request_socket.hpp"
#include "signer_answer.hpp"
#include "signer_state.hpp"

#ifndef AEGIS_VERSION
#error "the build defines AEGIS_VERSION"
#endif

namespace aegis::server {

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG: restarting will not help

struct Options {
    std::string state;
    std::string origin;
    std::string socket;
    std::string log_file;
    std::vector<std::string> users;
    bool allow_root = false;
};

int complain(const std::string &message, const std::string &hint, int code) {
    fprintf(stderr, "aegis-signer: error: %s\n", scrubbed(message).c_str());
    if (!hint.empty()) fprintf(stderr, "hint: %s\n", scrubbed(hint).c_str());
    return code;
}

void print_key(const SignerState &state, const std::string &origin) {
    printf("%s\n", core::format_note_key(state.key().key_of(origin)).c_str());
}

int init(const Options &options) {
    SignerState::create(options.state);
    SignerState state(options.state, SignerState::Use::alone);
    state.add(options.origin);
    print_key(state, options.origin);
    return 0;
}

int add(const Options &options) {
    SignerState state(options.state, SignerState::Use::alone);
    state.add(options.origin);
    print_key(state, options.origin);
    return 0;
}

int key(const Options &options) {
    const SignerState state(options.state, SignerState::Use::read);
    const auto &heads = state.heads();
    if (!options.origin.empty() && heads.find(options.origin) == heads.end())
        throw FileError("log \"" + options.origin + "\" is not known here");
    for (const auto &[origin, head] : heads)
        if (options.origin.empty() || origin == options.origin) print_key(state, origin);
    return 0;
}

int status(const Options &options) {
    const SignerState state(options.state, SignerState::Use::read);
    for (const auto &[origin, head] : state.heads())
        printf("%s\tsize %llu\troot %s\n", origin.c_str(),
               static_cast<unsigned long long>(head.checkpoint.size),
               core::format_hash(head.checkpoint.root).c_str());
    return 0;
}

int serve(const Options &options) {
    if (geteuid() == 0 && !options.allow_root)
        return complain("refusing to run as root",
                        "Start it as a user of its own; --allow-root is for containers.",
                        kExitConfig);
    open_log("info", options.log_file);
    const Descriptor stop = stop_signals();

    SignerState state(options.state, SignerState::Use::alone);
    SocketLimits limits;
    limits.request_bytes = core::kMaxAddCheckpointBytes;
    require_open_files(limits.connections, "signer");
    RequestSocket socket(options.socket, users_of(options.users), limits);
    log_event(Level::info, "started",
              {{"socket", options.socket},
               {"logs", std::to_string(state.heads().size())},
               {"version", AEGIS_VERSION}});
    SignerExchange exchange(&state);
    socket.serve(stop.get(), &exchange);
    log_event(Level::info, "stopped");
    return 0;
}

}  // namespace

int signer_main(int argc, char **argv) {
    command_line::Program program("Signs the checkpoints of ledgers, outside the database.",
                                  "aegis-signer");
    program.version(std::string("aegis-signer ") + AEGIS_VERSION);
    program.require_command();
    Options options;
    auto command = [&](const char *name, const char *help) {
        command_line::Command made = program.command(name, help);
        made.option("--state", &options.state, "folder with the key and the last heads").required();
        return made;
    };
    command_line::Command init_command =
        command("init", "make a key and begin its first log; print the vkey");
    command_line::Command add_command =
        command("add", "begin another log with the same key; print its vkey");
    for (command_line::Command made : {init_command, add_command})
        made.option("--origin", &options.origin, "name of the log: ORIGIN/DATABASE").required();
    command_line::Command key_command = command("key", "print the vkey of every log");
    key_command.option("--origin", &options.origin, "of this log only");
    const command_line::Command status_command =
        command("status", "print the head that was signed last of every log");
    command_line::Command serve_command = command("serve", "sign what the database asks for");
    serve_command.option("--socket", &options.socket, "Unix socket to listen on").required();
    serve_command.option("--allow-user", &options.users,
                         "user, by name or number, that may ask; this one may always");
    serve_command.option("--log", &options.log_file, "file for the log; else standard error");
    serve_command.flag("--allow-root", &options.allow_root,
                       "serve although running as root (containers)");
    int ended = 0;
    if (!program.parse(argc, argv, &ended)) return ended == 0 ? 0 : kExitConfig;
    try {
        close_memory();  // every command reads the key
        if (init_command.given()) return init(options);
        if (add_command.given()) return add(options);
        if (key_command.given()) return key(options);
        if (status_command.given()) return status(options);
        return serve(options);
    } catch (const FileError &error) {
        return complain(error.what(), "docs/signer.md tells what the state is and how to mend it.",
                        kExitConfig);
    } catch (const core::Error &error) {
        return complain(error.message, "An origin has no spaces and no \"+\".", kExitConfig);
    } catch (const std::exception &error) {
        return complain(error.what(), "", kExitFailure);
    }
}

}  // namespace aegis::server

int main(int argc, char **argv) {
    return aegis::server::signer_main(argc, argv);
}

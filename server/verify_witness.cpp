// SPDX-License-Identifier: Apache-2.0
#include "verify_witness.hpp"

#include <cstdio>

#include <unistd.h>

#include "core/add_checkpoint.hpp"
#include "core/error.hpp"
#include "keeper.hpp"
#include "log.hpp"
#include "request_socket.hpp"
#include "verify_io.hpp"
#include "witness_answer.hpp"
#include "witness_state.hpp"

namespace aegis::verify_tool {

namespace {

using server::Level;
using server::WitnessState;

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG: restarting will not help

int complain(const std::string &message, const std::string &hint, int code) {
    fprintf(stderr, "aegis-verify: error: %s\n", message.c_str());
    if (!hint.empty()) fprintf(stderr, "hint: %s\n", hint.c_str());
    return code;
}

void print_key(const WitnessState &state) {
    printf("%s\n", core::format_note_key(state.key()).c_str());
}

int status(const WitnessState &state) {
    for (const auto &[origin, log] : state.logs())
        printf("%s\tsize %llu\troot %s\n", origin.c_str(),
               static_cast<unsigned long long>(log.checkpoint.size),
               core::format_hash(log.checkpoint.root).c_str());
    return kOk;
}

int add(const WitnessOptions &options) {
    const core::NoteKey key = core::parse_note_key(options.log_key);
    if (key.type != core::NoteKeyType::ed25519)
        throw core::Error{core::Code::invalid_argument,
                          "this is the key of a witness, not a log's"};
    WitnessState(options.state, WitnessState::Use::alone).add(key);
    return kOk;
}

int serve(const WitnessOptions &options) {
    if (geteuid() == 0 && !options.allow_root)
        return complain("refusing to run as root",
                        "Start it as a user of its own; --allow-root is for containers.",
                        kExitConfig);
    server::open_log("info", options.log_file);
    const server::Descriptor stop = server::stop_signals();
    WitnessState state(options.state, WitnessState::Use::alone);
    server::SocketLimits limits;
    limits.request_bytes = server::kMaxWitnessHeadBytes + core::kMaxAddCheckpointBytes;
    server::require_open_files(limits.connections, "witness");
    std::optional<std::set<uid_t>> users;
    if (!options.users.empty()) users = server::users_of(options.users);
    server::RequestSocket socket(options.listen, std::move(users), limits);
    server::log_event(Level::info, "started",
                      {{"address", socket.address()},
                       {"name", state.key().name},
                       {"logs", std::to_string(state.logs().size())},
                       {"version", AEGIS_VERSION}});
    server::WitnessExchange exchange(&state);
    socket.serve(stop.get(), &exchange);
    server::log_event(Level::info, "stopped");
    return kOk;
}

int run(const WitnessOptions &options) {
    server::close_memory();  // every command reads the key
    if (options.init.given()) WitnessState::create(options.state, options.name);
    if (options.add.given()) return add(options);
    if (options.serve.given()) return serve(options);
    const WitnessState state(options.state, WitnessState::Use::read);
    if (options.status.given()) return status(state);
    print_key(state);
    return kOk;
}

}  // namespace

void add_witness_command(command_line::Command *program, WitnessOptions *options) {
    options->command = program->command(
        "witness", "Cosign the heads of logs that only grow, for whoever wants to be sure");
    options->command.require_command();
    const auto command = [&](const char *name, const char *help) {
        command_line::Command made = options->command.command(name, help);
        made.option("--state", &options->state, "folder with the key and the last heads")
            .required();
        return made;
    };
    options->init = command("init", "make a key; print its vkey");
    options->init.option("--name", &options->name, "of this witness: a URL without https://")
        .required();
    options->add = command("add", "watch another log, while no witness serves");
    options->add.option("--log-key", &options->log_key, "vkey of the log").required();
    options->key = command("key", "print the vkey");
    options->status = command("status", "print the head of every log that was cosigned last");
    options->serve = command("serve", "cosign what logs submit (C2SP tlog-witness)");
    options->serve
        .option("--listen", &options->listen, "ADDRESS:PORT, or the absolute path of a Unix socket")
        .required();
    options->serve.option("--allow-user", &options->users,
                          "on a Unix socket, only these users, by name or number, and this "
                          "one; repeatable");
    options->serve.option("--log", &options->log_file, "file for the log; else standard error");
    options->serve.flag("--allow-root", &options->allow_root,
                        "serve although running as root (containers)");
}

int run_witness(const WitnessOptions &options) {
    try {
        return run(options);
    } catch (const server::FileError &error) {
        return complain(error.what(), "docs/witness.md tells what the state is.", kExitConfig);
    } catch (const core::Error &error) {
        return complain(error.message, "aegis-verify witness --help says what it takes.",
                        kExitConfig);
    } catch (const std::exception &error) {
        return complain(error.what(), "", kExitFailure);
    }
}

}  // namespace aegis::verify_tool

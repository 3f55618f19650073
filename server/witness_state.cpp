// SPDX-License-Identifier: Apache-2.0
// The folder: "key"; "name" of the witness; "logs", the vkey of one log a line; "heads", one file
// for each; "lock". A log is in "logs" before its first cosignature leaves the process, so a head
// that vanished is noticed.
#include "witness_state.hpp"

#include <ctime>

#include "core/cosignature.hpp"
#include "core/error.hpp"
#include "state_folder.hpp"

namespace aegis::server {

namespace {

constexpr size_t kMaxNoteFileBytes = 8192;
constexpr size_t kMaxNameBytes = 512;
constexpr size_t kMaxLogsBytes = 1 << 20;

// One line and nothing else.
std::string read_name(const std::string &folder) {
    const std::string path = folder + "/name";
    const std::string text = read_file(path, kMaxNameBytes);
    if (text.empty() || text.find('\n') != text.size() - 1)
        throw FileError("\"" + path + "\" is damaged");
    return text.substr(0, text.size() - 1);
}

core::NoteKey own_key(const SignerKey &key, const std::string &folder) {
    try {
        return key.key_of(read_name(folder), core::NoteKeyType::ed25519_cosignature);
    } catch (const core::Error &) {
        throw FileError("\"" + folder + "/name\" is damaged");
    }
}

}  // namespace

void WitnessState::create(const std::string &folder, const std::string &name) {
    core::note_key_of(name, core::NoteKeyType::ed25519_cosignature, core::Key32());  // a good name
    make_private_folder(folder);
    const Descriptor lock = lock_folder(folder);
    if (exists(folder + "/key"))
        throw FileError("\"" + folder + "/key\" exists and is not overwritten");
    make_private_folder(folder + "/heads");
    replace_file(folder + "/name", name + "\n", kStateMode);
    replace_file(folder + "/logs", "", kStateMode);
    if (!SignerKey::create(folder + "/key"))
        throw FileError("\"" + folder + "/key\" exists and is not overwritten");
}

WitnessState::WitnessState(const std::string &folder, Use use)
    : folder_(folder), key_(folder + "/key"), own_(own_key(key_, folder)) {
    check_private(folder);
    check_private(folder + "/heads");
    if (use == Use::alone) lock_ = lock_folder(folder);
    const std::string logs = read_file(folder + "/logs", kMaxLogsBytes);
    std::string_view rest = logs;
    try {
        while (!rest.empty()) load(core::parse_note_key(core::take_line(&rest)));
    } catch (const core::Error &) {
        throw FileError("\"" + folder + "/logs\" is damaged");
    }
}

void WitnessState::load(const core::NoteKey &log) {
    const std::string path = head_path(folder_, log.name);
    WatchedLog watched;
    watched.key = log;
    watched.note = read_file(path, kMaxNoteFileBytes);
    bool sound = false;
    try {
        const core::Note note = core::parse_note(watched.note);
        watched.checkpoint = core::parse_checkpoint(note.text);
        sound = watched.checkpoint.origin == log.name && core::note_is_signed(note, own_) &&
                (watched.checkpoint.size == 0 || core::note_is_signed(note, log));
    } catch (const core::Error &) {
        sound = false;
    }
    if (!sound)
        throw FileError("\"" + path + "\" is not the cosigned head of \"" + log.name + "\"");
    logs_[log.name] = std::move(watched);
}

const WatchedLog *WitnessState::find(const std::string &origin) const {
    const auto found = logs_.find(origin);
    return found == logs_.end() ? nullptr : &found->second;
}

void WitnessState::add(const core::NoteKey &log) {
    if (find(log.name) != nullptr)
        throw FileError("log \"" + log.name + "\" is watched already and does not begin anew");
    if (exists(head_path(folder_, log.name))) {
        load(log);  // of an interrupted run: kept, but not listed yet
    } else {
        core::Checkpoint empty;
        empty.origin = log.name;
        empty.root = core::merkle_empty_root();
        const std::string text = core::format_checkpoint(empty);
        WatchedLog watched{log, empty, text + "\n" + cosign(text)};
        replace_file(head_path(folder_, log.name), watched.note, kStateMode);
        logs_[log.name] = std::move(watched);
    }
    std::string lines;
    for (const auto &[origin, watched] : logs_) lines += core::format_note_key(watched.key) + "\n";
    replace_file(folder_ + "/logs", lines, kStateMode);
}

std::string WitnessState::cosign(std::string_view text) const {
    return key_.cosign(text, own_, static_cast<uint64_t>(time(nullptr)));
}

std::string WitnessState::advance(const core::Checkpoint &checkpoint,
                                  const std::string &signature) {
    const auto found = logs_.find(checkpoint.origin);
    if (found == logs_.end()) throw FileError("the log is not watched");
    WatchedLog &watched = found->second;
    const std::string text = core::format_checkpoint(checkpoint);
    const std::string line = cosign(text);
    if (watched.checkpoint.size > 0 && watched.checkpoint.size == checkpoint.size &&
        watched.checkpoint.root == checkpoint.root)
        return line;
    const std::string note = text + "\n" + signature + line;
    replace_file(head_path(folder_, checkpoint.origin), note, kStateMode);
    watched.checkpoint = checkpoint;
    watched.note = note;
    return line;
}

}  // namespace aegis::server

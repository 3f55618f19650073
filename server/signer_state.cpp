// SPDX-License-Identifier: Apache-2.0
// The folder: "key"; "origins", one log a line; "heads", one file for each, called by the SHA-256
// of the log's name; "lock". A log is in "origins" before its first signature leaves the process,
// so a head that vanished is noticed.
#include "signer_state.hpp"

#include "core/error.hpp"
#include "state_folder.hpp"

namespace aegis::server {

namespace {

constexpr size_t kMaxNoteFileBytes = 4096;
constexpr size_t kMaxOriginsBytes = 1 << 20;

std::string key_path(const std::string &folder) {
    return folder + "/key";
}
std::string origins_path(const std::string &folder) {
    return folder + "/origins";
}

}  // namespace

void SignerState::create(const std::string &folder) {
    make_private_folder(folder);
    const Descriptor lock = lock_folder(folder);
    make_private_folder(folder + "/heads");
    if (!exists(origins_path(folder))) replace_file(origins_path(folder), "", kStateMode);
    if (!SignerKey::create(key_path(folder)))
        throw FileError("\"" + key_path(folder) + "\" exists and is not overwritten");
}

SignerState::SignerState(const std::string &folder, Use use)
    : folder_(folder), key_(key_path(folder)) {
    check_private(folder);
    check_private(folder + "/heads");
    if (use == Use::alone) lock_ = lock_folder(folder);
    const std::string origins = read_file(origins_path(folder), kMaxOriginsBytes);
    std::string_view rest = origins;
    try {
        while (!rest.empty()) {
            const std::string origin(core::take_line(&rest));
            load_head(origin, head_path(folder, origin));
        }
    } catch (const core::Error &) {
        throw FileError("\"" + origins_path(folder) + "\" is damaged");
    }
}

void SignerState::load_head(const std::string &origin, const std::string &path) {
    SignedHead head;
    head.note = read_file(path, kMaxNoteFileBytes);
    bool sound = false;
    try {
        head.key = key_.key_of(origin);
        const core::Note note = core::parse_note(head.note);
        head.checkpoint = core::parse_checkpoint(note.text);
        sound = head.checkpoint.origin == origin && core::note_is_signed(note, head.key);
    } catch (const core::Error &) {
        sound = false;
    }
    if (!sound) throw FileError("\"" + path + "\" is not the signed head of \"" + origin + "\"");
    heads_[origin] = std::move(head);
}

const SignedHead *SignerState::find(const std::string &origin) const {
    const auto found = heads_.find(origin);
    return found == heads_.end() ? nullptr : &found->second;
}

void SignerState::add(const std::string &origin) {
    if (find(origin) != nullptr)
        throw FileError("log \"" + origin + "\" is known and does not begin anew");
    const std::string path = head_path(folder_, origin);
    if (exists(path)) {
        load_head(origin, path);  // of an interrupted run: known, but not listed yet
    } else {
        core::Checkpoint empty;
        empty.origin = origin;
        empty.root = core::merkle_empty_root();
        keep(empty);
    }
    std::string origins;
    for (const auto &[name, head] : heads_) origins += name + "\n";
    replace_file(origins_path(folder_), origins, kStateMode);
}

const SignedHead &SignerState::advance(const core::Checkpoint &checkpoint) {
    if (find(checkpoint.origin) == nullptr)
        throw FileError("log \"" + checkpoint.origin + "\" is not known");
    keep(checkpoint);
    return heads_[checkpoint.origin];
}

void SignerState::keep(const core::Checkpoint &checkpoint) {
    SignedHead head;
    head.key = key_.key_of(checkpoint.origin);
    head.checkpoint = checkpoint;
    head.note = key_.sign(core::format_checkpoint(checkpoint), head.key);
    replace_file(head_path(folder_, checkpoint.origin), head.note, kStateMode);
    heads_[checkpoint.origin] = std::move(head);
}

}  // namespace aegis::server

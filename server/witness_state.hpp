// SPDX-License-Identifier: Apache-2.0
// What a witness must never forget: which logs it watches, by which keys, and the largest head of
// each that it cosigned, as the note itself. A file that is missing or not cosigned by its own key
// stops the witness; it never begins at zero by itself. docs/witness.md.
#pragma once

#include <map>
#include <string>

#include "core/checkpoint.hpp"
#include "durable_file.hpp"
#include "signer_key.hpp"

namespace aegis::server {

struct WatchedLog {
    core::NoteKey key;            // that signs the log's checkpoints
    core::Checkpoint checkpoint;  // cosigned last; of size 0 when none was
    std::string note;             // with the log's signature, unless of size 0, and the cosignature
};

class WitnessState {
 public:
    enum class Use { read, alone };

    // Makes the folder and the key of a witness of this name. Throws FileError when there is a key.
    static void create(const std::string &folder, const std::string &name);

    // Reads everything. Use::alone holds the folder's lock. Throws FileError.
    WitnessState(const std::string &folder, Use use);

    const core::NoteKey &key() const { return own_; }
    const std::map<std::string, WatchedLog> &logs() const { return logs_; }
    const WatchedLog *find(const std::string &origin) const;
    // Watches the log that is called as its key. Throws FileError when it is watched already.
    void add(const core::NoteKey &log);
    // Cosigns a checkpoint that its log signed with this line, and keeps it. On disk when it
    // returns; throws FileError when it is not, and then nothing may leave the process. The same
    // head again is cosigned with the present time and not written. Returns the cosignature's line.
    std::string advance(const core::Checkpoint &checkpoint, const std::string &signature);

 private:
    std::string cosign(std::string_view text) const;
    void load(const core::NoteKey &log);

    std::string folder_;
    SignerKey key_;
    core::NoteKey own_;
    Descriptor lock_;
    std::map<std::string, WatchedLog> logs_;
};

}  // namespace aegis::server

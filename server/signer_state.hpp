// SPDX-License-Identifier: Apache-2.0
// What the signer must never forget: for each log the head that it signed last, as the signed note
// itself. A file that is missing or not signed by our key stops the signer; it never begins at
// zero by itself. docs/signer.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint.hpp"
#include "durable_file.hpp"
#include "signer_key.hpp"

namespace aegis::server {

struct SignedHead {
    core::NoteKey key;
    core::Checkpoint checkpoint;
    std::string note;
};

class SignerState {
 public:
    enum class Use { read, alone };

    // Makes the folder and the key. Throws FileError when there is a key.
    static void create(const std::string &folder);

    // Reads everything. Use::alone holds the folder's lock, so that no second signer can use it.
    // Throws FileError.
    SignerState(const std::string &folder, Use use);

    const SignerKey &key() const { return key_; }
    const std::map<std::string, SignedHead> &heads() const { return heads_; }
    // nullptr for a log that was never added.
    const SignedHead *find(const std::string &origin) const;
    // Begins a log: its signed head is that of the empty tree. Throws FileError when it is known.
    void add(const std::string &origin);
    // Signs the checkpoint and keeps it. On disk when it returns; throws FileError when it is not,
    // and then nothing may leave the process.
    const SignedHead &advance(const core::Checkpoint &checkpoint);

 private:
    void load_head(const std::string &origin, const std::string &path);
    void keep(const core::Checkpoint &checkpoint);

    std::string folder_;
    SignerKey key_;
    Descriptor lock_;
    std::map<std::string, SignedHead> heads_;
};

}  // namespace aegis::server

// SPDX-License-Identifier: Apache-2.0
// The key that signs the ledger's checkpoints: an Ed25519 seed in a file of its own, read into a
// page of memory that is never swapped out and not part of a core dump.
#pragma once

#include <string>

#include "core/note.hpp"

namespace aegis::server {

class SignerKey {
 public:
    // A new key from OpenSSL's random numbers, mode 0400; false when there is one already.
    static bool create(const std::string &path);

    // Throws FileError.
    explicit SignerKey(const std::string &path);
    ~SignerKey();
    SignerKey(const SignerKey &) = delete;
    SignerKey &operator=(const SignerKey &) = delete;

    // One key, under the name of each log. Throws core::Error for a name that no note bears.
    core::NoteKey key_of(const std::string &origin) const;
    // The text with its signature: a note.
    std::string sign(const std::string &text, const core::NoteKey &key) const;

 private:
    core::Key32 *seed_;
};

}  // namespace aegis::server

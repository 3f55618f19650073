// SPDX-License-Identifier: Apache-2.0
// The key of a signer or a witness: an Ed25519 seed in a file of its own, read into a
// page of memory that is never swapped out and not part of a core dump.
#pragma once

#include <string>
#include <string_view>

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

    // One key, under the name of each log, or of the witness. Throws core::Error for a name that no
    // note bears.
    core::NoteKey key_of(const std::string &name,
                         core::NoteKeyType type = core::NoteKeyType::ed25519) const;
    // The text with its signature: a note.
    std::string sign(const std::string &text, const core::NoteKey &key) const;
    // The line of a cosignature at this time, in seconds since the Unix epoch.
    std::string cosign(std::string_view text, const core::NoteKey &key, uint64_t time) const;

 private:
    core::Key32 *seed_;
};

}  // namespace aegis::server

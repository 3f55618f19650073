// SPDX-License-Identifier: Apache-2.0
#include "core/anchor.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kSizeDigits = 20;  // of 2^64

}  // namespace

std::string anchored_note(const Note &note, const NoteKey &log) {
    if (!note_is_signed(note, log))
        throw Error{Code::cannot_open, "the checkpoint is not signed by the key of the log"};
    for (const NoteSignature &signature : note.signatures)
        if (signature.name == log.name && memcmp(signature.id, log.id, kNoteKeyIdBytes) == 0)
            return std::string(note.text) + "\n" + format_signature(signature);
    throw Error{Code::cannot_open, "the checkpoint is not signed by the key of the log"};
}

std::string anchor_name(const Checkpoint &checkpoint) {
    const Digest log = sha256(as_bytes(checkpoint.origin));
    std::string hex(hex_size(kDigestBytes), '\0');
    to_hex(log.view(), hex.data());
    const std::string size = std::to_string(checkpoint.size);
    return hex + "." + std::string(kSizeDigits - size.size(), '0') + size + ".checkpoint";
}

}  // namespace aegis::core

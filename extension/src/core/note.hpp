// SPDX-License-Identifier: Apache-2.0
// C2SP signed notes with Ed25519 (RFC 8032): text, a blank line, and one signature a line. Keys are
// the C2SP verifier keys "name+id+base64". docs/format/checkpoint-v1.md.
#pragma once

#include <string>
#include <vector>

#include "core/secret.hpp"

namespace aegis::core {

enum class NoteKeyType : uint8_t { ed25519 = 0x01, ed25519_cosignature = 0x04 };

inline constexpr size_t kNoteKeyIdBytes = 4;
inline constexpr size_t kEd25519Bytes = 32;
inline constexpr size_t kEd25519SignatureBytes = 64;
inline constexpr size_t kMaxNoteBytes = 1 << 20;
inline constexpr size_t kMaxNoteSignatures = 64;

struct NoteKey {
    std::string name;  // no spaces, no "+"
    NoteKeyType type = NoteKeyType::ed25519;
    uint8_t id[kNoteKeyIdBytes] = {};
    uint8_t public_key[kEd25519Bytes] = {};
};

// Reads "name+8 hex digits+base64(type | public key)". Throws malformed, also when the id is not
// the key's own.
NoteKey parse_note_key(std::string_view text);
std::string format_note_key(const NoteKey &key);

// The key of an Ed25519 seed. Throws malformed for a name that a note cannot carry.
NoteKey note_key_of(std::string_view name, NoteKeyType type, const Key32 &seed);

// The same key under another name: it has another id.
NoteKey renamed(const NoteKey &key, std::string_view name);

struct NoteSignature {
    std::string_view name;
    uint8_t id[kNoteKeyIdBytes];
    std::string signature;  // bytes after the id
};

struct Note {               // views into what was parsed
    std::string_view text;  // ends with a newline
    std::vector<NoteSignature> signatures;
};

// Throws malformed for anything a C2SP reader must reject.
Note parse_note(std::string_view text);

// True when `key` signed the note; false when the note has no signature of that name and id. Throws
// cannot_open when it has one that does not verify. For cosignatures *timestamp gets the seconds
// since the Unix epoch that the cosigner vouches for.
bool note_is_signed(const Note &note, const NoteKey &key, uint64_t *timestamp = nullptr);

// The line of a signature, with its newline, as it stood in the note.
std::string format_signature(const NoteSignature &signature);

// One signature line with its newline, ready to be appended to `text` and a blank line.
std::string sign_note(std::string_view text, const NoteKey &key, const Key32 &seed);
std::string cosign_note(std::string_view text, const NoteKey &key, const Key32 &seed,
                        uint64_t timestamp);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/cosignature.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

bool has(const Note &note, const NoteSignature &signature) {
    for (const NoteSignature &own : note.signatures)
        if (own.name == signature.name && memcmp(own.id, signature.id, kNoteKeyIdBytes) == 0)
            return true;
    return false;
}

}  // namespace

Cosignature take_cosignature(std::string_view text, std::string_view answer,
                             const NoteKey &witness) {
    if (witness.type != NoteKeyType::ed25519_cosignature)
        throw Error{Code::invalid_argument, "the key of a witness must make cosignatures"};
    if (answer.size() > kMaxCosignatureAnswerBytes)
        throw Error{Code::malformed, "the answer of a witness is too long"};
    // An empty line in the answer would move the end of the text.
    if (answer.find("\n\n") != std::string_view::npos || answer.substr(0, 1) == "\n")
        throw Error{Code::malformed, "the answer of a witness must be signature lines"};
    const std::string whole = std::string(text) + "\n" + std::string(answer);
    const Note note = parse_note(whole);
    Cosignature made;
    if (!note_is_signed(note, witness, &made.timestamp))
        throw Error{Code::cannot_open, "the witness did not cosign the checkpoint"};
    for (const NoteSignature &s : note.signatures)
        if (s.name == witness.name && memcmp(s.id, witness.id, kNoteKeyIdBytes) == 0) {
            made.line = format_signature(s);
            break;
        }
    return made;
}

std::string with_signatures(std::string_view note, std::string_view lines) {
    std::string whole(note);
    if (lines.empty()) return whole;
    const Note own = parse_note(note);
    const std::string other = std::string(own.text) + "\n" + std::string(lines);
    for (const NoteSignature &s : parse_note(other).signatures)
        if (!has(own, s)) whole += format_signature(s);
    return whole;
}

std::vector<Cosigner> cosigners_of(const Note &note, const std::vector<NoteKey> &witnesses) {
    std::vector<Cosigner> cosigners;
    for (size_t at = 0; at < witnesses.size(); ++at) {
        Cosigner cosigner{at, 0};
        if (note_is_signed(note, witnesses[at], &cosigner.timestamp)) cosigners.push_back(cosigner);
    }
    return cosigners;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// C2SP tlog-checkpoint: the text that a log signs about itself, and the C2SP tlog-proof file that
// carries one leaf's proof together with it. docs/format/checkpoint-v1.md.
#pragma once

#include <string>

#include "core/note.hpp"
#include "core/proof.hpp"

namespace aegis::core {

struct Checkpoint {
    std::string origin;
    uint64_t size = 0;
    Digest root;
};

// "origin\nsize\nbase64(root)\n". Throws invalid_argument for an origin that does not fit a line.
std::string format_checkpoint(const Checkpoint &checkpoint);
// Reads the text of a note. Extension lines are refused: our logs have none, and what a reader
// ignores nobody checks. Throws malformed.
Checkpoint parse_checkpoint(std::string_view text);

// A signed checkpoint of the log that the key is called after. Throws malformed, and cannot_open
// when the key did not sign it or it is about another log.
Checkpoint open_checkpoint(std::string_view note, const NoteKey &key);

// The log of one database: "PREFIX/NAME". Bytes that a name of a key cannot bear become %XX.
std::string log_origin(std::string_view prefix, std::string_view database);

// The pieces that this and its neighbouring formats are made of. All throw malformed.
std::string_view take_line(std::string_view *rest);  // the next line, without its newline
uint64_t parse_decimal(std::string_view text);       // without sign or leading zeros
std::string format_hash(const Digest &digest);       // 32 bytes in base64
Digest parse_hash(std::string_view text);

struct ProofFile {
    std::string_view extra;  // base64 that nothing vouches for; empty when there is none
    uint64_t index = 0;
    Proof proof;
    std::string_view checkpoint;  // the signed note, verbatim
};

std::string format_proof_file(uint64_t index, const Proof &proof, std::string_view checkpoint_note,
                              std::string_view extra = {});
ProofFile parse_proof_file(std::string_view text);  // throws malformed

}  // namespace aegis::core

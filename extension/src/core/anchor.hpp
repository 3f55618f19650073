// SPDX-License-Identifier: Apache-2.0
// What is anchored of a signed checkpoint, and the name under which it is kept somewhere else.
// docs/format/anchor-v1.md.
#pragma once

#include <string>

#include "core/checkpoint.hpp"

namespace aegis::core {

// The note with the signature of the log alone: witnesses may cosign it later, and what was
// anchored stays the same bytes. Throws cannot_open when the key did not sign it.
std::string anchored_note(const Note &note, const NoteKey &log);

// "HEX.SIZE.checkpoint": SHA-256 of the log's name, and the size with twenty digits, so that names
// sort as the log grew. Two histories of one log want one name for different bytes.
std::string anchor_name(const Checkpoint &checkpoint);

}  // namespace aegis::core

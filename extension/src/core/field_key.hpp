// SPDX-License-Identifier: Apache-2.0
// The key of one field of one tenant for a program outside the database, sealed for its public key.
// docs/format/field-key-v1.md.
#pragma once

#include <string>

#include "core/envelope.hpp"
#include "core/hpke.hpp"
#include "core/normalise.hpp"

namespace aegis::core {

struct FieldKey {  // secret; whoever holds one wipes it
    Suite suite;
    PlaintextType type;
    Normaliser normaliser;  // none: not searchable, and without an index key
    uint32_t epoch;
    uint32_t field;
    uint32_t type_reference;  // 0 when not searchable
    uint8_t tenant[16];
    uint8_t key[kKeyBytes];
    uint8_t index_key[kKeyBytes];
};
static_assert(std::is_trivially_destructible_v<FieldKey>);

// "AF1." and base64url. Throws malformed when the recipient is no public key.
std::string seal_field_key(const FieldKey &key, ByteView recipient);
// Throws malformed for another text, cannot_open when it is for another recipient or was changed,
// and invalid_argument for a version or a suite that this library does not know.
void open_field_key(std::string_view text, const Key32 &private_key, FieldKey *out);

}  // namespace aegis::core

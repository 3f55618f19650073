// SPDX-License-Identifier: Apache-2.0
// A root key that a tenant makes itself and hands over sealed for one database.
// docs/format/tenant-key-v1.md.
#pragma once

#include <string>

#include "core/hpke.hpp"

namespace aegis::core {

struct BroughtKey {
    uint8_t recipient[kHpkeKeyBytes];  // the database's public key, which serves once
    uint8_t encapsulated[kHpkeKeyBytes];
    uint8_t sealed[kKeyBytes + kHpkeOverheadBytes];
};
static_assert(std::is_trivially_destructible_v<BroughtKey>);

// Throws malformed when the bytes cannot have come from a generator of random numbers: too few
// different ones, text, or a count. Not a proof of the contrary.
void check_random_key(ByteView key);

// "AT1." and base64url of the three parts; throws malformed for any other text.
std::string format_brought_key(const BroughtKey &key);
void parse_brought_key(std::string_view text, BroughtKey *out);

// Throws malformed for a key that is not random, and when the recipient is no public key.
void seal_brought_key(const Key32 &root, ByteView tenant, ByteView recipient, BroughtKey *out);
// Throws cannot_open unless it was sealed for this key and tenant.
void open_brought_key(const BroughtKey &key, const Key32 &private_key, ByteView tenant, Key32 *out);

}  // namespace aegis::core

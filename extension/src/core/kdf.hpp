// SPDX-License-Identifier: Apache-2.0
// HKDF-SHA-256 (RFC 5869) and the injective encoding of what a key is for. docs/format/keys-v1.md.
#pragma once

#include "core/secret.hpp"

namespace aegis::core {

// Throws invalid_argument when more than 255 * 32 bytes are asked for.
void hkdf_sha256(ByteView salt, ByteView input_key, ByteView info, ByteSpan out);

enum class Purpose : uint8_t {
    check_value = 1,       // proof that a master secret is the right one; may be stored
    tenant_kek = 2,        // wraps a tenant's root keys
    encrypt = 3,           // seals one field
    blind_index = 4,       // search tokens of one sealed type
    audit = 5,             // personal data inside ledger entries
    login = 6,             // keyed look-up of sign-in names
    subject = 7,           // wraps a data subject's root key
    credential = 8,        // payment-provider credentials
    committed_cipher = 9,  // of a field or audit key, in suite 2: what seals
    commitment = 10,       // beside it: what every envelope shows of the key
    root_check = 11,       // proof of a root that a tenant brought; may be stored
    subject_name = 12,     // keyed look-up of data subjects
    outbound = 13,         // payloads that wait in the outbox
    service = 15,          // secrets of services
    body_digest = 17,      // keyed digests of bodies that came in
    issuer = 18,           // keys that prove who we are to issuers of tokens
};

// What a derived key is for. `tenant` is 16 bytes or empty (the system's own keys).
struct KeyInfo {
    Purpose purpose;
    ByteView tenant;
    uint32_t epoch;
    uint32_t reference;  // field reference, type reference, master version; 0 where none
};

// "aegis" 0x01 | purpose | u16 len | tenant | u32 epoch | u32 reference
inline constexpr size_t kMaxKeyInfoBytes = 5 + 1 + 1 + 2 + 16 + 4 + 4;
size_t encode_key_info(const KeyInfo &info,
                       ByteSpan out);  // bytes written; throws invalid_argument

void derive_key(const Key32 &input_key, ByteView salt, const KeyInfo &info, Key32 &out);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// HPKE (RFC 9180), base mode, one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
// Whoever holds the private key opens; who sealed is not known. docs/format/tenant-v1.md.
#pragma once

#include "core/secret.hpp"

namespace aegis::core {

inline constexpr size_t kHpkeKeyBytes = 32;       // public keys, and the encapsulated one
inline constexpr size_t kHpkeOverheadBytes = 16;  // the tag

// AES-128 is here only because the vectors that RFC 9180 prints for X25519 use it.
enum class HpkeAead : uint16_t { aes_128_gcm = 1, aes_256_gcm = 2 };

// The public key of a private one.
void hpke_public_key(const Key32 &private_key, ByteSpan out);

// `sealed` has the size of the plaintext and the tag. Makes an ephemeral key; throws malformed when
// the recipient is no public key (its shared secret would be zero).
void hpke_seal(ByteView recipient, ByteView info, ByteView associated, ByteView plaintext,
               ByteSpan encapsulated, ByteSpan sealed);
// The same under a given ephemeral key, which must be used once: for vectors.
void hpke_seal_with(const Key32 &ephemeral, HpkeAead aead, ByteView recipient, ByteView info,
                    ByteView associated, ByteView plaintext, ByteSpan encapsulated,
                    ByteSpan sealed);

// Throws cannot_open unless exactly this was sealed for this key, info and associated data.
void hpke_open(const Key32 &private_key, ByteView encapsulated, ByteView info, ByteView associated,
               ByteView sealed, ByteSpan plaintext, HpkeAead aead = HpkeAead::aes_256_gcm);

}  // namespace aegis::core

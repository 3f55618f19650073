// SPDX-License-Identifier: Apache-2.0
// Keys of data subjects: the people whose data values are. docs/format/keys-v1.md.
//
//   encoded subject   kind 1 uuid | 16 bytes;  2 integer | 8 bytes;  3 text | UTF-8
//   name              HMAC-SHA-256(subject-name key of the tenant, encoded subject)
//   wrapped           nonce 24 | ciphertext 32 | tag 16 under the subject KEK of an epoch,
//                     associated data name | u32 generation
//   field key         HKDF(root | subject root, info encrypt | tenant | epoch | field)
#pragma once

#include "core/kdf.hpp"
#include "core/keyring.hpp"

namespace aegis::core {

class HmacKey;
class Xaes;

enum class SubjectKind : uint8_t { uuid = 1, integer = 2, text = 3 };

inline constexpr size_t kMaxSubjectTextBytes = 1000;
inline constexpr size_t kMaxSubjectBytes = 1 + kMaxSubjectTextBytes;
inline constexpr size_t kSubjectNameBytes = 32;
// Its name is keyed by the root of the first epoch, which a tenant keeps as long as it lives.
inline constexpr uint32_t kSubjectNameEpoch = 1;

// Bytes written. `value`: 16 bytes of a UUID, 8 of an integer in network order, or 1 to 1000 of
// UTF-8. Throws invalid_argument.
size_t encode_subject(SubjectKind kind, ByteView value, ByteSpan out);

// What a subject's key is stored under: says nothing of the subject to who lacks the tenant's key.
void subject_name(const HmacKey &name_key, ByteView encoded_subject,
                  uint8_t out[kSubjectNameBytes]);

// The wrapped size is that of a tenant's root: kWrappedRootBytes.
void wrap_subject(const Xaes &kek, ByteView name, uint32_t generation, ByteView subject_root,
                  uint8_t out[kWrappedRootBytes]);
// The same with a given nonce, for golden files only.
void wrap_subject_with_nonce(const Xaes &kek, ByteView name, uint32_t generation, ByteView nonce,
                             ByteView subject_root, uint8_t out[kWrappedRootBytes]);
// Throws cannot_open.
void unwrap_subject(const Xaes &kek, ByteView name, uint32_t generation, ByteView wrapped,
                    uint8_t out[kKeyBytes]);

// The key of one field for one subject.
void derive_subject_field_key(ByteView root, ByteView subject_root, ByteView tenant, uint32_t epoch,
                              uint32_t field, Key32 &out);

}  // namespace aegis::core

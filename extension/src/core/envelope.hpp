// SPDX-License-Identifier: Apache-2.0
// The stored form of a sealed value, version 1. docs/format/envelope-v1.md draws every byte.
//
//   0  u8   magic and version 0xA1
//   1  u8   suite              0x01 XAES-256-GCM; 0x02 the same with a key commitment; 0x00
//                              unsealed (in memory only)
//   2  u8   plaintext type
//   3  u8   flags              bit 0 row-bound, bit 1 token, bit 2 subject-keyed, bit 3 token
//                              removed
//   4  8    tenant tag
//   12 u32  key epoch          1 or more
//   16 u32  field reference
//   20 16   search token       only when flag bit 1 is set and bit 3 is not
//   .. 24   nonce
//   .. 32   key commitment     only in suite 2
//   .. n    ciphertext
//   .. 16   tag
//
// Associated data: bytes 0..19 with flag bit 3 cleared, then u16 length | tenant, u16 length |
// subject, u8 count of primary key parts, each u16 length | bytes. The token is not covered; it is
// recomputed on opening.
#pragma once

#include "core/digest.hpp"
#include "core/envelope_key.hpp"

namespace aegis::core {

inline constexpr uint8_t kEnvelopeMagic = 0xA1;
inline constexpr size_t kEnvelopeHeaderBytes = 20;
inline constexpr size_t kTokenBytes = 16;
inline constexpr size_t kTenantTagBytes = 8;
inline constexpr size_t kMaxEnvelopePlaintextBytes = 512u * 1024 * 1024;

enum class PlaintextType : uint8_t {
    text = 1,
    bytea = 2,
    jsonb = 3,
    numeric = 4,
    date = 5,
    timestamptz = 6
};
enum EnvelopeFlag : uint8_t {
    kFlagRowBound = 1,
    kFlagToken = 2,
    kFlagSubject = 4,
    kFlagTokenRemoved = 8,  // set beside kFlagToken by strip_token(), never when sealing
};

struct EnvelopeHeader {  // trivially destructible: lives in shell frames
    Suite suite;
    PlaintextType type;
    uint8_t flags;
    uint8_t tenant_tag[kTenantTagBytes];
    uint32_t epoch;
    uint32_t field;
};

struct EnvelopeParts {
    EnvelopeHeader header;
    ByteView token;       // 16 bytes or empty
    ByteView nonce;       // 24 bytes
    ByteView commitment;  // 32 bytes in suite 2
    ByteView sealed;      // ciphertext and tag
};

// What a value is bound to beside its header.
struct Binding {
    ByteView tenant;   // 16 bytes
    ByteView subject;  // empty unless kFlagSubject
    const ByteView *row_parts = nullptr;
    uint8_t row_part_count = 0;
};

// First 8 bytes of SHA-256("aegis/tenant/1" || tenant).
void tenant_tag(ByteView tenant, uint8_t out[kTenantTagBytes]);

size_t envelope_size(const EnvelopeHeader &header, size_t plaintext_bytes) noexcept;
size_t envelope_plaintext_size(const EnvelopeParts &parts) noexcept;

// Writes the envelope into out, which must be exactly envelope_size(). token: 16 bytes or empty,
// in agreement with the flag. The header's suite must be the key's. The nonce is drawn here.
void seal_envelope(const EnvelopeKey &key, const EnvelopeHeader &header, const Binding &binding,
                   ByteView token, ByteView plaintext, ByteSpan out);
// The same with a given nonce, for golden files only.
void seal_envelope_with_nonce(const EnvelopeKey &key, const EnvelopeHeader &header,
                              const Binding &binding, ByteView token, ByteView nonce,
                              ByteView plaintext, ByteSpan out);

// Throws malformed when the bytes are not a well-formed envelope of version 1.
EnvelopeParts parse_envelope(ByteView envelope);
// out must be exactly envelope_plaintext_size(). Throws cannot_open, for another suite and another
// commitment than the key's too; these are looked at before anything is decrypted.
void open_envelope(const EnvelopeKey &key, const EnvelopeParts &parts, const Binding &binding,
                   ByteSpan out);

// Search token: first 16 bytes of HMAC-SHA-256(blind-index key, normalised value).
void search_token(const HmacKey &index_key, ByteView normalised, uint8_t out[kTokenBytes]);

// Copies the envelope without its token. Flag bit 1 stays (it is authenticated) and bit 3 says that
// the token is gone; the copy still opens. Ledger images use it so that an erased value cannot be
// confirmed later. An envelope without a token is copied as it is. out: at least envelope.size
// bytes. Returns the bytes written. Throws malformed.
size_t strip_token(ByteView envelope, ByteSpan out);

// Unsealed values: plaintext under a random key of this server run, so that a misused column never
// holds plaintext. 0xA1 0x00 | type | flags | boot id 8 | nonce 24 | ciphertext | tag.
inline constexpr size_t kBootIdBytes = 8;
size_t unsealed_size(size_t plaintext_bytes) noexcept;
bool is_unsealed(ByteView bytes) noexcept;
void make_unsealed(const Xaes &boot_key, ByteView boot_id, PlaintextType type, ByteView plaintext,
                   ByteSpan out);
size_t unsealed_plaintext_size(ByteView unsealed);
// Throws cannot_open when the value belongs to another server run.
void open_unsealed(const Xaes &boot_key, ByteView boot_id, ByteView unsealed, ByteSpan out);

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// What a key provider delivers: lines "version:64 hex digits", "#" comments, blank lines.
// Versions run from 1 to 2147483647, in any order. The highest version is the active one.
// docs/key.md.
#pragma once

#include "core/envelope_key.hpp"

namespace aegis::core {

inline constexpr int kMaxMasterVersions = 8;
inline constexpr size_t kCheckValueBytes = 8;

struct MasterKey {  // placed in the shared secret page, hence plain
    uint32_t version;
    uint8_t key[kKeyBytes];
};

struct Keyring {
    int count;
    MasterKey keys[kMaxMasterVersions];  // ascending versions
};
static_assert(std::is_trivially_destructible_v<Keyring>);

// Parses into *out; throws malformed with a text that names the fault but no key material. *line is
// then the number of the line at fault, 0 for the text as a whole.
void parse_keyring(std::string_view text, Keyring *out, int *line = nullptr);

// Master keys wrapped for a token (docs/format/wrapped-keyring-v1.md): lines "version:120 hex
// digits", nonce 12 | ciphertext 32 | tag 16 of AES-256-GCM. The token has the key, so nothing here
// opens them.
inline constexpr size_t kWrappedKeyNonceBytes = 12;
inline constexpr size_t kWrappedKeyBytes = kWrappedKeyNonceBytes + kKeyBytes + 16;
inline constexpr size_t kWrappedKeyContextBytes = 23;
struct WrappedKey {
    uint32_t version;
    uint8_t bytes[kWrappedKeyBytes];
};
struct WrappedKeyring {
    int count;
    WrappedKey keys[kMaxMasterVersions];  // ascending versions
};
// As parse_keyring().
void parse_wrapped_keyring(std::string_view text, WrappedKeyring *out, int *line = nullptr);
// The associated data under which a version is wrapped.
void wrapped_key_context(uint32_t version, uint8_t out[kWrappedKeyContextBytes]) noexcept;

// Proof of a master key that may be stored: HKDF(key, info check_value | version), 8 bytes.
void master_check_value(const MasterKey &key, uint8_t out[kCheckValueBytes]);
// Proof of a root that a tenant brought: HKDF(root, info root_check | tenant), 8 bytes.
void root_check_value(const Key32 &root, ByteView tenant, uint8_t out[kCheckValueBytes]);
// Wraps a 32-byte root: nonce 24 | ciphertext 32 | tag 16 under
// KEK = HKDF(master, salt, info tenant_kek | tenant | epoch | master version). The salt has 32
// bytes. The associated data are empty for suite 1, the suite's byte for others: a row whose suite
// was changed does not open.
inline constexpr size_t kWrappedRootBytes = 72;
void wrap_root(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
               ByteView root, uint8_t out[kWrappedRootBytes], Suite suite = Suite::xaes_256_gcm);
// The same with a given nonce, for golden files only.
void wrap_root_with_nonce(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
                          ByteView nonce, ByteView root, uint8_t out[kWrappedRootBytes],
                          Suite suite = Suite::xaes_256_gcm);
void unwrap_root(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
                 ByteView wrapped, uint8_t out[kKeyBytes],
                 Suite suite = Suite::xaes_256_gcm);  // throws cannot_open

}  // namespace aegis::core

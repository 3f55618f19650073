// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), with contexts kept for the life of the process.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kDigestBytes = 32;

struct Digest {
    uint8_t bytes[kDigestBytes];
    ByteView view() const { return bytes; }
};

// Hash of the concatenation of the parts. Throws crypto_failure.
Digest sha256(ByteView part);
Digest sha256(ByteView first, ByteView second);
Digest sha256(const ByteView *parts, size_t count);

Digest hmac_sha256(ByteView key, ByteView message);
// The same over the concatenation of at most kMaxHmacParts parts.
inline constexpr size_t kMaxHmacParts = 4;
Digest hmac_sha256(ByteView key, const ByteView *parts, size_t count);

// HMAC-SHA-256 under a key that is used often: what the two padded keys make of the hash is kept
// and copied for each message, which takes half the time for a short one. It is worth as much as
// the key.
class HmacKey {
 public:
    explicit HmacKey(ByteView key);
    ~HmacKey();
    HmacKey(const HmacKey &) = delete;
    HmacKey &operator=(const HmacKey &) = delete;

    Digest digest(ByteView message) const;

 private:
    struct State;
    State *state_;
};

}  // namespace aegis::core

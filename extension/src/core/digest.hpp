// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), HMAC-SHA-256 and -512 (RFC 2104), with contexts kept for the life of the
// process.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kDigestBytes = 32;

struct Digest {
    uint8_t bytes[kDigestBytes];
    ByteView view() const { return bytes; }
};

// Hash of the concatenation of the parts. Throws crypto_failure.
[[nodiscard]] Digest sha256(ByteView part);
[[nodiscard]] Digest sha256(ByteView first, ByteView second);
[[nodiscard]] Digest sha256(const ByteView *parts, size_t count);

[[nodiscard]] Digest hmac_sha256(ByteView key, ByteView message);
// The same over the concatenation of at most kMaxHmacParts parts.
inline constexpr size_t kMaxHmacParts = 4;
[[nodiscard]] Digest hmac_sha256(ByteView key, const ByteView *parts, size_t count);

// HMAC-SHA-512, for what others sign with it.
inline constexpr size_t kSha512Bytes = 64;
void hmac_sha512(ByteView key, ByteView message, uint8_t (&out)[kSha512Bytes]);

// HMAC-SHA-256 under a key that is used often: what the two padded keys make of the hash is kept
// and copied for each message, which takes half the time for a short one. It is worth as much as
// the key.
class HmacKey {
 public:
    explicit HmacKey(ByteView key);
    ~HmacKey();
    HmacKey(const HmacKey &) = delete;
    HmacKey &operator=(const HmacKey &) = delete;

    [[nodiscard]] Digest digest(ByteView message) const;

 private:
    struct State;
    State *state_;
};

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// A list of breached passwords, version 1: for each the first 8 of the 20 bytes of its SHA-1, two
// of them as the place in an index, six in a sorted list. docs/format/breached-v1.md.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kSha1Bytes = 20;
inline constexpr std::string_view kBreachedMark = "AEGISBP1";
inline constexpr uint32_t kBreachedBuckets = 65536;
inline constexpr size_t kBreachedIndexOffset = 16;  // the mark, and the number of entries
inline constexpr size_t kBreachedListOffset =
    kBreachedIndexOffset + (kBreachedBuckets + 1) * size_t{8};
inline constexpr size_t kBreachedEntryBytes = 6;

struct Sha1 {
    uint8_t bytes[kSha1Bytes];
};
// Throws crypto_failure.
Sha1 sha1(ByteView text);

inline uint32_t breached_bucket(const Sha1 &hash) {
    return static_cast<uint32_t>(hash.bytes[0]) << 8 | hash.bytes[1];
}
// Whether the entries of the hash's bucket hold it.
bool breached_has(ByteView entries, const Sha1 &hash) noexcept;

}  // namespace aegis::core

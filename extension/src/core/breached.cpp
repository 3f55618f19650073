// SPDX-License-Identifier: Apache-2.0
#include "core/breached.hpp"

#include "core/error.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

// SHA-1 because that is what such lists are published in; nothing rests on it being hard to break.
Sha1 sha1(ByteView text) {
    Sha1 hash;
    unsigned size = 0;
    if (EVP_Digest(text.data, text.size, hash.bytes, &size, EVP_sha1(), nullptr) != 1 ||
        size != kSha1Bytes)
        fail(Code::crypto_failure, "SHA-1 is not available");
    return hash;
}

bool breached_has(ByteView entries, const Sha1 &hash) noexcept {
    size_t low = 0, high = entries.size / kBreachedEntryBytes;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = memcmp(entries.data + middle * kBreachedEntryBytes, hash.bytes + 2,
                                 kBreachedEntryBytes);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

}  // namespace aegis::core

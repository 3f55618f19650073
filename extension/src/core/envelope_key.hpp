// SPDX-License-Identifier: Apache-2.0
// The key of one field, or of a tenant's personal data in the ledger, as its suite wants it.
// docs/format/envelope-v1.md.
#pragma once

#include "core/xaes.hpp"

namespace aegis::core {

// What is written into an envelope. A reader opens under one suite per key: whoever may choose a
// key could otherwise get around the commitment by writing 1.
enum class Suite : uint8_t { unsealed = 0x00, xaes_256_gcm = 0x01, xaes_256_gcm_committing = 0x02 };

inline constexpr size_t kCommitmentBytes = 32;
inline constexpr size_t commitment_bytes(Suite suite) {
    return suite == Suite::xaes_256_gcm_committing ? kCommitmentBytes : 0;
}
inline constexpr bool is_sealing(Suite suite) {
    return suite == Suite::xaes_256_gcm || suite == Suite::xaes_256_gcm_committing;
}

class EnvelopeKey {
 public:
    // Suite 1 seals with the key itself; suite 2 derives from it a key to seal with and, beside it,
    // the commitment. Throws invalid_argument for any other.
    EnvelopeKey(Suite suite, const Key32 &key);
    EnvelopeKey(const EnvelopeKey &) = delete;
    EnvelopeKey &operator=(const EnvelopeKey &) = delete;

    Suite suite() const noexcept { return suite_; }
    const Xaes &cipher() const noexcept { return cipher_; }
    // What every envelope under this key carries; empty in suite 1. No secret: it tells the key
    // from others and nothing of it.
    ByteView commitment() const noexcept { return {commitment_, commitment_bytes(suite_)}; }

 private:
    Suite suite_;
    Xaes cipher_;
    uint8_t commitment_[kCommitmentBytes] = {};
};

}  // namespace aegis::core

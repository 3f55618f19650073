// SPDX-License-Identifier: Apache-2.0
#include "core/envelope_key.hpp"

#include "core/error.hpp"
#include "core/kdf.hpp"

namespace aegis::core {

namespace {

Xaes sealing_cipher(Suite suite, const Key32 &key) {
    if (!is_sealing(suite)) throw Error{Code::invalid_argument, "no suite to seal with"};
    if (suite == Suite::xaes_256_gcm) return Xaes(key);
    Key32 derived;
    derive_key(key, {}, {Purpose::committed_cipher, {}, 0, 0}, derived);
    return Xaes(derived);
}

}  // namespace

EnvelopeKey::EnvelopeKey(Suite suite, const Key32 &key)
    : suite_(suite), cipher_(sealing_cipher(suite, key)) {
    if (commitment_bytes(suite) == 0) return;
    Key32 commitment;
    derive_key(key, {}, {Purpose::commitment, {}, 0, 0}, commitment);
    memcpy(commitment_, commitment.view().data, sizeof commitment_);
}

}  // namespace aegis::core

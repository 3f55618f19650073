// SPDX-License-Identifier: Apache-2.0
// Random bytes for nonces and keys. Small requests come from a pool that belongs to one process and
// is discarded after fork; used bytes are wiped.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

// Fills the span from the pool (nonces). Throws crypto_failure.
void random_nonce(ByteSpan out);
// Fills the span straight from the private DRBG (keys, tokens). Throws crypto_failure.
void random_secret(ByteSpan out);

}  // namespace aegis::core

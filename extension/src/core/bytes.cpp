// SPDX-License-Identifier: Apache-2.0
#include "core/bytes.hpp"

#include <openssl/crypto.h>

namespace aegis::core {

bool equal_constant_time(ByteView a, ByteView b) noexcept {
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/secret.hpp"

#include "core/error.hpp"

namespace aegis::core {

Key32::Key32(ByteView bytes) {
    if (bytes.size != kKeyBytes) throw Error{Code::invalid_argument, "a key must have 32 bytes"};
    memcpy(bytes_, bytes.data, kKeyBytes);
}

}  // namespace aegis::core

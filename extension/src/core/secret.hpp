// SPDX-License-Identifier: Apache-2.0
// A 32-byte key that is wiped when it goes out of scope.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kKeyBytes = 32;

class Key32 {
 public:
    Key32() noexcept { memset(bytes_, 0, sizeof bytes_); }
    explicit Key32(ByteView bytes);  // throws invalid_argument unless exactly 32 bytes
    ~Key32() { wipe(bytes_); }
    Key32(const Key32 &) = delete;
    Key32 &operator=(const Key32 &) = delete;

    ByteView view() const noexcept { return bytes_; }
    ByteSpan span() noexcept { return bytes_; }

 private:
    uint8_t bytes_[kKeyBytes];
};

}  // namespace aegis::core

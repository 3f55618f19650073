// SPDX-License-Identifier: Apache-2.0
// Layout of the locked page: master keys as the provider delivered them, the random key of this
// server run for unsealed values, and a generation that every cache checks on use.
#pragma once

#include <atomic>

#include "core/envelope.hpp"
#include "core/keyring.hpp"

namespace aegis::key {

struct Page {
    // Grows whenever keys appear, change or are destroyed; caches compare it on every use.
    std::atomic<uint64_t> generation;
    std::atomic<uint32_t> sequence;  // odd while the keyring is being replaced
    bool boot_ready;
    uint8_t boot_id[core::kBootIdBytes];
    uint8_t boot_key[core::kKeyBytes];
    core::Keyring keyring;
    char fault[256];  // why the provider could not be read; empty when it could
};

}  // namespace aegis::key

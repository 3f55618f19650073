// SPDX-License-Identifier: Apache-2.0
// Layout of the locked page: master keys as the provider delivered them, the random key of this
// server run for unsealed values, and a generation that every cache checks on use.
#pragma once

#include <atomic>

#include "core/envelope.hpp"
#include "core/keyring.hpp"

namespace aegis::key {

inline constexpr size_t kMaxVariableName = 64;

// Why the provider could not be read, for people. Names a path at most, never what is inside.
struct Fault {
    char message[256];  // empty when it could
    char hint[192];
};

struct Page {
    // Grows whenever keys appear, change or are destroyed; caches compare it on every use.
    std::atomic<uint64_t> generation;
    std::atomic<uint32_t> sequence;  // odd while keyring and fault are being replaced
    bool boot_ready;
    uint8_t boot_id[core::kBootIdBytes];
    uint8_t boot_key[core::kKeyBytes];
    core::Keyring keyring;
    Fault fault;
    char variable[kMaxVariableName];  // of the environment, that the keyring came from; or empty
};

}  // namespace aegis::key

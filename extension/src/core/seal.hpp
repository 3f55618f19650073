// SPDX-License-Identifier: Apache-2.0
// The block that one pass of the sealer adds to the chain, version 1. docs/format/seal-v1.md.
//
// Root-log leaf data, one for every tenant log that grew:
//   "aegis/head/1" | log id 32 | u64 size | root 32
// Seal: a deterministic CBOR array
//   ["aegis/seal/1", epoch, number, unix micros, entries, root-log size, root-log root,
//    previous seal's hash (32 zero bytes for the first), snapshot (text), wal position (uint)]
// and its hash is SHA-256 over those bytes.
#pragma once

#include "core/cbor.hpp"
#include "core/merkle.hpp"

namespace aegis::core {

inline constexpr std::string_view kHeadType = "aegis/head/1";
inline constexpr std::string_view kSealType = "aegis/seal/1";
inline constexpr size_t kLogIdBytes = 32;

Digest head_leaf(ByteView log_id, uint64_t size, const Digest &root);

struct SealFields {
    uint64_t epoch;
    uint64_t number;
    int64_t unix_micros;
    uint64_t entries;
    uint64_t root_size;
    Digest root;
    Digest previous;
    std::string_view snapshot;
    uint64_t wal_position;
};
static_assert(std::is_trivially_destructible_v<SealFields>);

size_t encode_seal(const SealFields &fields, ByteSpan out) noexcept;  // bytes needed
SealFields decode_seal(ByteView bytes);                               // throws malformed
Digest seal_hash(ByteView encoded);

}  // namespace aegis::core

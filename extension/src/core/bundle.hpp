// SPDX-License-Identifier: Apache-2.0
// An exported ledger as a file, version 1: lines of base64, each one record in deterministic CBOR.
// docs/format/bundle-v1.md.
//
//   header      ["aegis/bundle/1", database, exported at (micros), tenant or null, newest seal]
//   seal        [1, canonical bytes]
//   head        [2, log id, tenant or null, size, root, entries that follow]
//   entry       [3, seq, stored leaf or null, body or null]     both null: it was missing; a leaf
//                                                               alone: it was cut
//   other head  [4, leaf hash]                                  of a log that is not in the bundle
//   end         [5, seals, heads, entries, chain over all records before]
#pragma once

#include "core/cbor.hpp"
#include "core/seal.hpp"

namespace aegis::core {

inline constexpr std::string_view kBundleType = "aegis/bundle/1";

enum class BundleKind : uint8_t { header, seal, head, entry, other_head, end };

struct BundleRecord {  // views only; what does not belong to the kind stays empty
    BundleKind kind = BundleKind::header;
    std::string_view database;
    int64_t exported_at = 0;  // microseconds since the Unix epoch
    uint64_t newest_seal = 0;
    ByteView tenant;  // of header and head; empty means none
    ByteView log_id;
    uint64_t size = 0;  // of a log at its head
    ByteView root;
    int64_t seq = 0;
    ByteView leaf;  // of an entry: as it is stored; of another head: its leaf hash
    ByteView body;  // of a seal or an entry
    uint64_t seals = 0, heads = 0, entries = 0;
    ByteView chain;
};
static_assert(std::is_trivially_destructible_v<BundleRecord>);

// Bytes the record needs; written only as far as out reaches. Never throws.
size_t encode_bundle_record(const BundleRecord &record, ByteSpan out) noexcept;
// Views into the bytes. Throws malformed unless they are exactly one record.
BundleRecord decode_bundle_record(ByteView bytes);

// What the end record carries: SHA-256(before || SHA-256(record)), from 32 zero bytes on.
Digest bundle_chain(const Digest &before, ByteView record);

// What whoever checked a bundle to the end and found nothing says of it: SHA-256("aegis/checked/1"
// || chain || hash of the newest seal).
Digest bundle_statement(const Digest &chain, const Digest &newest_seal);

}  // namespace aegis::core

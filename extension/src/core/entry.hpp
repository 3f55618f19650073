// SPDX-License-Identifier: Apache-2.0
// The canonical bytes of a ledger entry, version 1: what is stored is what is hashed.
// docs/format/entry-v1.md. A map with small integer keys; absent parts are left out.
//
//   0  text   "aegis/entry/1"
//   1  uint   epoch of the ledger
//   2  bytes  tenant (16), absent for the system's own entries
//   3  text   event type
//   4  int    time, microseconds since 1970-01-01 UTC
//   5  uint   outcome: 0 success, 1 failure, 2 denied
//   6  map    actor: 0 database session user (text), 1 user (16 bytes), 2 session (16 bytes),
//             3 rank (uint), 4 way into the context (uint), 5 job (uint)
//   7  text   request id
//   8  bytes  origin: envelope of a map under the audit key: 0 IP, 1 user agent, as the caller
//             claims them; 2 address, 3 application name of the connection (all texts)
//   9  array  target: [kind, id] (texts)
//   10 map    detail: text keys, sorted; values text, int, bool, bytes
//   11 map    row image: 0 relation (text), 1 operation (text I, U, D, T), 2 primary key (map),
//             3 old (map), 4 new (map), 5 sealed rest (bytes: envelope of a map {3: old, 4: new})
//   12 uint   transaction id (xid8)
//   13 uint   ordinal within the transaction
#pragma once

#include "core/cbor.hpp"
#include "core/digest.hpp"

namespace aegis::core {

inline constexpr std::string_view kEntryType = "aegis/entry/1";

enum class Outcome : uint8_t { success = 0, failure = 1, denied = 2 };

struct EntryFields {  // views only; empty means absent
    uint64_t epoch = 0;
    ByteView tenant;
    std::string_view event;
    int64_t unix_micros = 0;
    Outcome outcome = Outcome::success;
    std::string_view session_user;
    ByteView user;
    ByteView session;
    int rank = 0;
    int way = 0;
    uint64_t job = 0;
    std::string_view request_id;
    ByteView origin;  // envelope
    std::string_view target_kind;
    std::string_view target_id;
    ByteView detail;  // an encoded CBOR map
    ByteView image;   // an encoded CBOR map
    uint64_t xid = 0;
    uint32_t ordinal = 0;
};
static_assert(std::is_trivially_destructible_v<EntryFields>);

// Bytes the entry needs; written only as far as out reaches. Never throws.
size_t encode_entry(const EntryFields &fields, ByteSpan out) noexcept;
// Views into the body. Throws malformed unless the body is exactly one deterministic entry.
EntryFields decode_entry(ByteView body);

struct OriginFields {  // views only; empty means absent
    std::string_view ip, user_agent;
    std::string_view connection;  // address of the connection to the database
    std::string_view application;
};
static_assert(std::is_trivially_destructible_v<OriginFields>);

// The plaintext of an origin; 0 bytes when nothing is claimed. As encode_entry.
size_t encode_origin(const OriginFields &fields, ByteSpan out) noexcept;
// Views into the plaintext. Keys of a later writer are passed over. Throws malformed.
OriginFields decode_origin(ByteView plaintext);

// RFC 6962 leaf hash: SHA-256(0x00 || body).
Digest leaf_hash(ByteView body);

}  // namespace aegis::core

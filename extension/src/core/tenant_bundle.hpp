// SPDX-License-Identifier: Apache-2.0
// An exported tenant as a file, version 1: lines of base64, each one record in deterministic CBOR.
// docs/format/tenant-v1.md.
//
//   header     ["aegis/tenant/1", database, exported at (micros), tenant,
//               slug, region, frozen, target region, recipient]
//   key        [1, kind, epoch, encapsulated key, sealed root], and of a root of suite 2:
//              [1, kind, epoch, encapsulated key, sealed root, suite, check value]
//   table      [2, name, [column, type, column, type, ...]]
//   row        [3, [text or null, ...]]
//   table end  [4, rows, chain over the table's row records]
//   ledger     [5, a record of bundle-v1]
//   end        [6, keys, tables, rows, ledger records, chain over all before]
#pragma once

#include "core/cbor.hpp"
#include "core/digest.hpp"
#include "core/hpke.hpp"
#include "core/keyring.hpp"

namespace aegis::core {

inline constexpr std::string_view kTenantBundleType = "aegis/tenant/1";
inline constexpr size_t kSealedRootBytes = kKeyBytes + kHpkeOverheadBytes;
inline constexpr size_t kMaxTenantColumns = 1600;

enum class TenantKind : uint8_t { header, key, table, row, table_end, ledger, end };

struct TenantRecord {  // views only; what does not belong to the kind stays empty
    TenantKind kind = TenantKind::header;
    std::string_view database, slug, region, target;
    int64_t exported_at = 0;  // microseconds since the Unix epoch
    ByteView tenant;
    bool frozen = false;    // suspended when it was exported, so that nothing came after
    ByteView recipient;     // its public key
    bool is_index = false;  // the key: the index root, or a root of an epoch
    uint64_t epoch = 0;
    ByteView encapsulated, sealed;
    Suite suite = Suite::xaes_256_gcm;  // of the root
    ByteView check_value;               // 8 bytes of one that the tenant brought
    std::string_view name;              // of a table, with its schema
    ByteView texts;                     // the encoded array of a table's columns or a row's values
    uint64_t count = 0;                 // of them
    ByteView ledger;
    uint64_t keys = 0, tables = 0, rows = 0, records = 0;
    ByteView chain;
};
static_assert(std::is_trivially_destructible_v<TenantRecord>);

// Bytes the record needs; written only as far as out reaches. Never throws.
size_t encode_tenant_record(const TenantRecord &record, ByteSpan out) noexcept;
// Views into the bytes. Throws malformed unless they are exactly one record.
TenantRecord decode_tenant_record(ByteView bytes);
// The texts of a table or a row; null ones have no data. Throws malformed when there are more.
size_t tenant_texts(const TenantRecord &record, ByteView *texts, size_t most);

// Where a reader is in the file. A plain value: the shell keeps it across calls that may jump.
struct TenantReading {
    int stage = 0;  // 0: nothing yet; then keys, tables, rows, ledger, after the end
    Digest chain{}, table_chain{}, header_hash{};
    uint64_t lines = 0, keys = 0, tables = 0, rows = 0, records = 0, table_rows = 0, columns = 0;
    bool has_root = false, has_index = false;

    // One record, in its place, with its bytes. Throws malformed when it stands in a wrong one, or
    // a count or a chain does not follow from what was read.
    void take(const TenantRecord &record, ByteView bytes);
    bool ended() const { return stage == 5; }
};
static_assert(std::is_trivially_destructible_v<TenantReading>);

// What a key record seals a root with, and opens it: bound to the header, the kind, the epoch
// and the suite.
void seal_tenant_root(const Digest &header_hash, const TenantRecord &key, ByteView root,
                      ByteView recipient, ByteSpan encapsulated, ByteSpan sealed);
void open_tenant_root(const Key32 &private_key, const Digest &header_hash, const TenantRecord &key,
                      ByteSpan root);  // throws cannot_open

}  // namespace aegis::core

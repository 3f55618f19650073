// SPDX-License-Identifier: Apache-2.0
#include "core/tenant_bundle.hpp"

#include "core/bundle.hpp"
#include "core/encoding.hpp"
#include "core/record_reader.hpp"

namespace aegis::core {

namespace {

constexpr size_t kTenantBytes = 16;
constexpr std::string_view kKeyInfo = "aegis/tenant-key/1";
enum Stage { kNothing, kKeys, kTables, kRows, kLedger, kEnd };

constexpr const char *kMalformed = "not a record of an exported tenant";

[[noreturn]] void malformed(const char *message = kMalformed) {
    throw Error{Code::malformed, message};
}

// The array as it is encoded; its items are texts, or nulls where those are allowed.
void read_texts(RecordReader *reader, bool nulls, TenantRecord *record) {
    const size_t from = reader->position();
    record->count = reader->array();
    for (uint64_t i = 0; i < record->count; ++i) {
        const CborItem item = reader->any();
        if (item.type != CborType::text && !(item.type == CborType::null && nulls)) malformed();
    }
    record->texts = reader->since(from);
}

bool names_suite(const TenantRecord &record) noexcept {
    return record.kind == TenantKind::key && record.suite != Suite::xaes_256_gcm;
}

uint64_t items_of(const TenantRecord &record) noexcept {
    static constexpr uint64_t kItems[] = {9, 5, 3, 2, 3, 2, 6};
    return kItems[static_cast<size_t>(record.kind)] + (names_suite(record) ? 2 : 0);
}

// What a sealed root is bound to beside the recipient: header hash | 0 root, 1 index | u32 epoch,
// and of a root of suite 2 also the suite and the check value.
struct RootBinding {
    uint8_t bytes[kDigestBytes + 1 + 4 + 1 + kCheckValueBytes];
    size_t size = kDigestBytes + 1 + 4;
    RootBinding(const Digest &header_hash, const TenantRecord &key) {
        if (key.epoch > UINT32_MAX) malformed();
        memcpy(bytes, header_hash.bytes, kDigestBytes);
        bytes[kDigestBytes] = key.is_index ? 1 : 0;
        put_u32(bytes + kDigestBytes + 1, static_cast<uint32_t>(key.epoch));
        if (!names_suite(key)) return;
        if (key.check_value.size > kCheckValueBytes) malformed();
        bytes[size++] = static_cast<uint8_t>(key.suite);
        if (key.check_value.size) memcpy(bytes + size, key.check_value.data, key.check_value.size);
        size += key.check_value.size;
    }
    ByteView view() const { return {bytes, size}; }
};

}  // namespace

size_t encode_tenant_record(const TenantRecord &record, ByteSpan out) noexcept {
    CborWriter w(out);
    w.array(items_of(record));
    write_kind(&w, kTenantBundleType, static_cast<uint64_t>(record.kind));
    switch (record.kind) {
        case TenantKind::header:
            w.text(record.database);
            w.signed_int(record.exported_at);
            w.bytes(record.tenant);
            w.text(record.slug);
            w.text(record.region);
            w.boolean(record.frozen);
            w.text(record.target);
            w.bytes(record.recipient);
            break;
        case TenantKind::key:
            w.text(record.is_index ? "index" : "root");
            w.unsigned_int(record.epoch);
            w.bytes(record.encapsulated);
            w.bytes(record.sealed);
            if (!names_suite(record)) break;
            w.unsigned_int(static_cast<uint64_t>(record.suite));
            w.bytes(record.check_value);
            break;
        case TenantKind::table:
            w.text(record.name);
            w.raw(record.texts);
            break;
        case TenantKind::row:
            w.raw(record.texts);
            break;
        case TenantKind::table_end:
            w.unsigned_int(record.rows);
            w.bytes(record.chain);
            break;
        case TenantKind::ledger:
            w.bytes(record.ledger);
            break;
        case TenantKind::end:
            w.unsigned_int(record.keys);
            w.unsigned_int(record.tables);
            w.unsigned_int(record.rows);
            w.unsigned_int(record.records);
            w.bytes(record.chain);
            break;
    }
    return w.needed;
}

TenantRecord decode_tenant_record(ByteView bytes) {
    RecordReader reader(bytes, kMalformed);
    const uint64_t items = reader.array();
    TenantRecord record;
    record.kind = static_cast<TenantKind>(
        reader.kind(kTenantBundleType, static_cast<uint64_t>(TenantKind::end)));
    const bool suite_follows = record.kind == TenantKind::key && items != items_of(record);
    if (suite_follows) record.suite = Suite::xaes_256_gcm_committing;
    if (items != items_of(record)) malformed();
    switch (record.kind) {
        case TenantKind::header:
            record.database = reader.text();
            record.exported_at = reader.signed_int();
            record.tenant = reader.fixed(kTenantBytes);
            record.slug = reader.text();
            record.region = reader.text();
            record.frozen = reader.boolean();
            record.target = reader.text();
            record.recipient = reader.fixed(kHpkeKeyBytes);
            break;
        case TenantKind::key: {
            const std::string_view kind = reader.text();
            record.is_index = kind == "index";
            if (!record.is_index && kind != "root") malformed();
            record.epoch = reader.unsigned_int();
            if (record.epoch == 0 || record.epoch > INT32_MAX) malformed();
            record.encapsulated = reader.fixed(kHpkeKeyBytes);
            record.sealed = reader.fixed(kSealedRootBytes);
            if (!suite_follows) break;
            if (record.is_index || reader.unsigned_int() != static_cast<uint64_t>(record.suite))
                malformed();
            record.check_value = reader.bytes();
            if (record.check_value.size != 0 && record.check_value.size != kCheckValueBytes)
                malformed();
            break;
        }
        case TenantKind::table:
            record.name = reader.text();
            read_texts(&reader, false, &record);
            if (record.count == 0 || record.count % 2 != 0 || record.count > 2 * kMaxTenantColumns)
                malformed();
            break;
        case TenantKind::row:
            read_texts(&reader, true, &record);
            break;
        case TenantKind::table_end:
            record.rows = reader.unsigned_int();
            record.chain = reader.fixed(kDigestBytes);
            break;
        case TenantKind::ledger:
            record.ledger = reader.bytes();
            break;
        case TenantKind::end:
            record.keys = reader.unsigned_int();
            record.tables = reader.unsigned_int();
            record.rows = reader.unsigned_int();
            record.records = reader.unsigned_int();
            record.chain = reader.fixed(kDigestBytes);
            break;
    }
    if (!reader.done()) malformed();
    return record;
}

size_t tenant_texts(const TenantRecord &record, ByteView *texts, size_t most) {
    CborReader reader(record.texts);
    const uint64_t count = reader.next().value;
    if (count > most) malformed();
    for (uint64_t i = 0; i < count; ++i) {
        const CborItem item = reader.next();
        texts[i] = item.type == CborType::null ? ByteView() : item.body;
    }
    return static_cast<size_t>(count);
}

void TenantReading::take(const TenantRecord &record, ByteView bytes) {
    const char *const order = "a record of the exported tenant stands in a wrong place";
    const char *const damage = "the file was damaged or cut: its counts or its chain do not follow";
    lines++;
    switch (record.kind) {
        case TenantKind::header:
            if (stage != kNothing) malformed(order);
            header_hash = sha256(bytes);
            stage = kKeys;
            break;
        case TenantKind::key:
            if (stage != kKeys) malformed(order);
            keys++;
            (record.is_index ? has_index : has_root) = true;
            break;
        case TenantKind::table:
            if ((stage != kKeys && stage != kTables) || !has_root || !has_index) malformed(order);
            tables++;
            table_rows = 0;
            columns = record.count / 2;
            table_chain = {};
            stage = kRows;
            break;
        case TenantKind::row:
            if (stage != kRows || record.count != columns) malformed(order);
            rows++;
            table_rows++;
            table_chain = bundle_chain(table_chain, bytes);
            break;
        case TenantKind::table_end:
            if (stage != kRows) malformed(order);
            if (record.rows != table_rows ||
                memcmp(record.chain.data, table_chain.bytes, kDigestBytes) != 0)
                malformed(damage);
            stage = kTables;
            break;
        case TenantKind::ledger:
            if (stage != kTables && stage != kLedger) malformed(order);
            records++;
            stage = kLedger;
            break;
        case TenantKind::end:
            if (stage != kLedger) malformed(order);
            if (record.keys != keys || record.tables != tables || record.rows != rows ||
                record.records != records ||
                memcmp(record.chain.data, chain.bytes, kDigestBytes) != 0)
                malformed(damage);
            stage = kEnd;
            return;  // the chain stays what the end says
    }
    chain = bundle_chain(chain, bytes);
}

void seal_tenant_root(const Digest &header_hash, const TenantRecord &key, ByteView root,
                      ByteView recipient, ByteSpan encapsulated, ByteSpan sealed) {
    const RootBinding binding(header_hash, key);
    hpke_seal(recipient, as_bytes(kKeyInfo), binding.view(), root, encapsulated, sealed);
}

void open_tenant_root(const Key32 &private_key, const Digest &header_hash, const TenantRecord &key,
                      ByteSpan root) {
    const RootBinding binding(header_hash, key);
    hpke_open(private_key, key.encapsulated, as_bytes(kKeyInfo), binding.view(), key.sealed, root);
}

}  // namespace aegis::core

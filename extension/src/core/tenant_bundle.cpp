// SPDX-License-Identifier: Apache-2.0
#include "core/tenant_bundle.hpp"

#include "core/bundle.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kTenantBytes = 16;
constexpr std::string_view kKeyInfo = "aegis/tenant-key/1";
enum Stage { kNothing, kKeys, kTables, kRows, kLedger, kEnd };

[[noreturn]] void malformed(const char *message = "not a record of an exported tenant") {
    throw Error{Code::malformed, message};
}

CborItem expect(CborReader *reader, CborType type) {
    const CborItem item = reader->next();
    if (item.type != type) malformed();
    return item;
}

uint64_t read_unsigned(CborReader *reader) {
    return expect(reader, CborType::unsigned_int).value;
}

std::string_view read_text(CborReader *reader) {
    const ByteView body = expect(reader, CborType::text).body;
    if (!is_text(body)) malformed();
    return {reinterpret_cast<const char *>(body.data), body.size};
}

ByteView read_fixed(CborReader *reader, size_t size) {
    const ByteView body = expect(reader, CborType::bytes).body;
    if (body.size != size) malformed();
    return body;
}

int64_t read_signed(CborReader *reader) {
    const CborItem item = reader->next();
    if ((item.type != CborType::unsigned_int && item.type != CborType::negative_int) ||
        item.value > INT64_MAX)
        malformed();
    const int64_t v = static_cast<int64_t>(item.value);
    return item.type == CborType::unsigned_int ? v : -1 - v;
}

bool read_boolean(CborReader *reader) {
    return expect(reader, CborType::boolean).value != 0;
}

// The array as it is encoded; its items are texts, or nulls where those are allowed.
void read_texts(CborReader *reader, ByteView bytes, bool nulls, TenantRecord *record) {
    const size_t from = reader->position();
    record->count = expect(reader, CborType::array).value;
    for (uint64_t i = 0; i < record->count; ++i) {
        const CborItem item = reader->next();
        if (item.type == CborType::null && nulls) continue;
        if (item.type != CborType::text || !is_text(item.body)) malformed();
    }
    record->texts = bytes.slice(from, reader->position() - from);
}

void read_header(CborReader *reader, const CborItem &type, TenantRecord *record) {
    if (type.type != CborType::text ||
        std::string_view(reinterpret_cast<const char *>(type.body.data), type.body.size) !=
            kTenantBundleType)
        malformed();
    record->database = read_text(reader);
    record->exported_at = read_signed(reader);
    record->tenant = read_fixed(reader, kTenantBytes);
    record->slug = read_text(reader);
    record->region = read_text(reader);
    record->frozen = read_boolean(reader);
    record->target = read_text(reader);
    record->recipient = read_fixed(reader, kHpkeKeyBytes);
}

uint64_t items_of(TenantKind kind) noexcept {
    static constexpr uint64_t kItems[] = {9, 5, 3, 2, 3, 2, 6};
    return kItems[static_cast<size_t>(kind)];
}

// What a sealed root is bound to beside the recipient: header hash | 0 root, 1 index | u32 epoch.
struct RootBinding {
    uint8_t bytes[kDigestBytes + 1 + 4];
    RootBinding(const Digest &header_hash, const TenantRecord &key) {
        if (key.epoch > UINT32_MAX) malformed();
        memcpy(bytes, header_hash.bytes, kDigestBytes);
        bytes[kDigestBytes] = key.is_index ? 1 : 0;
        put_u32(bytes + kDigestBytes + 1, static_cast<uint32_t>(key.epoch));
    }
};

}  // namespace

size_t encode_tenant_record(const TenantRecord &record, ByteSpan out) noexcept {
    CborWriter w(out);
    w.array(items_of(record.kind));
    if (record.kind == TenantKind::header)
        w.text(kTenantBundleType);
    else
        w.unsigned_int(static_cast<uint64_t>(record.kind));
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
    CborReader reader(bytes);
    const uint64_t items = expect(&reader, CborType::array).value;
    const CborItem first = reader.next();
    TenantRecord record;
    if (first.type == CborType::unsigned_int) {
        if (first.value == 0 || first.value > static_cast<uint64_t>(TenantKind::end)) malformed();
        record.kind = static_cast<TenantKind>(first.value);
    }
    if (items != items_of(record.kind)) malformed();
    switch (record.kind) {
        case TenantKind::header:
            read_header(&reader, first, &record);
            break;
        case TenantKind::key: {
            const std::string_view kind = read_text(&reader);
            record.is_index = kind == "index";
            if (!record.is_index && kind != "root") malformed();
            record.epoch = read_unsigned(&reader);
            if (record.epoch == 0 || record.epoch > INT32_MAX) malformed();
            record.encapsulated = read_fixed(&reader, kHpkeKeyBytes);
            record.sealed = read_fixed(&reader, kSealedRootBytes);
            break;
        }
        case TenantKind::table:
            record.name = read_text(&reader);
            read_texts(&reader, bytes, false, &record);
            if (record.count == 0 || record.count % 2 != 0 || record.count > 2 * kMaxTenantColumns)
                malformed();
            break;
        case TenantKind::row:
            read_texts(&reader, bytes, true, &record);
            break;
        case TenantKind::table_end:
            record.rows = read_unsigned(&reader);
            record.chain = read_fixed(&reader, kDigestBytes);
            break;
        case TenantKind::ledger:
            record.ledger = expect(&reader, CborType::bytes).body;
            break;
        case TenantKind::end:
            record.keys = read_unsigned(&reader);
            record.tables = read_unsigned(&reader);
            record.rows = read_unsigned(&reader);
            record.records = read_unsigned(&reader);
            record.chain = read_fixed(&reader, kDigestBytes);
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
    hpke_seal(recipient, as_bytes(kKeyInfo), binding.bytes, root, encapsulated, sealed);
}

void open_tenant_root(const Key32 &private_key, const Digest &header_hash, const TenantRecord &key,
                      ByteSpan root) {
    const RootBinding binding(header_hash, key);
    hpke_open(private_key, key.encapsulated, as_bytes(kKeyInfo), binding.bytes, key.sealed, root);
}

}  // namespace aegis::core

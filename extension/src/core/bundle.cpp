// SPDX-License-Identifier: Apache-2.0
#include "core/bundle.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kTenantBytes = 16;

[[noreturn]] void malformed() {
    throw Error{Code::malformed, "not a record of a bundle of version 1"};
}

void bytes_or_null(CborWriter *w, ByteView v) noexcept {
    if (v.size)
        w->bytes(v);
    else
        w->null();
}

CborItem expect(CborReader *reader, CborType type) {
    const CborItem item = reader->next();
    if (item.type != type) malformed();
    return item;
}

uint64_t read_unsigned(CborReader *reader) {
    return expect(reader, CborType::unsigned_int).value;
}

int64_t read_signed(CborReader *reader) {
    const CborItem item = reader->next();
    if ((item.type != CborType::unsigned_int && item.type != CborType::negative_int) ||
        item.value > INT64_MAX)
        malformed();
    const int64_t v = static_cast<int64_t>(item.value);
    return item.type == CborType::unsigned_int ? v : -1 - v;
}

ByteView read_fixed(CborReader *reader, size_t size) {
    const ByteView body = expect(reader, CborType::bytes).body;
    if (body.size != size) malformed();
    return body;
}

// Bytes of the size (0: any, but not empty), or null.
ByteView read_optional(CborReader *reader, size_t size) {
    const CborItem item = reader->next();
    if (item.type == CborType::null) return {};
    if (item.type != CborType::bytes || item.body.size == 0 || (size && item.body.size != size))
        malformed();
    return item.body;
}

BundleRecord read_header(CborReader *reader, const CborItem &type) {
    BundleRecord record;
    if (type.type != CborType::text ||
        std::string_view(reinterpret_cast<const char *>(type.body.data), type.body.size) !=
            kBundleType)
        malformed();
    const ByteView name = expect(reader, CborType::text).body;
    record.database = {reinterpret_cast<const char *>(name.data), name.size};
    record.exported_at = read_signed(reader);
    record.tenant = read_optional(reader, kTenantBytes);
    record.newest_seal = read_unsigned(reader);
    return record;
}

uint64_t items_of(BundleKind kind) noexcept {
    static constexpr uint64_t kItems[] = {5, 2, 6, 4, 2, 5};
    return kItems[static_cast<size_t>(kind)];
}

}  // namespace

size_t encode_bundle_record(const BundleRecord &record, ByteSpan out) noexcept {
    CborWriter w(out);
    w.array(items_of(record.kind));
    if (record.kind == BundleKind::header)
        w.text(kBundleType);
    else
        w.unsigned_int(static_cast<uint64_t>(record.kind));
    switch (record.kind) {
        case BundleKind::header:
            w.text(record.database);
            w.signed_int(record.exported_at);
            bytes_or_null(&w, record.tenant);
            w.unsigned_int(record.newest_seal);
            break;
        case BundleKind::seal:
            w.bytes(record.body);
            break;
        case BundleKind::head:
            w.bytes(record.log_id);
            bytes_or_null(&w, record.tenant);
            w.unsigned_int(record.size);
            w.bytes(record.root);
            w.unsigned_int(record.entries);
            break;
        case BundleKind::entry:
            w.signed_int(record.seq);
            bytes_or_null(&w, record.leaf);
            bytes_or_null(&w, record.body);
            break;
        case BundleKind::other_head:
            w.bytes(record.leaf);
            break;
        case BundleKind::end:
            w.unsigned_int(record.seals);
            w.unsigned_int(record.heads);
            w.unsigned_int(record.entries);
            w.bytes(record.chain);
            break;
    }
    return w.needed;
}

BundleRecord decode_bundle_record(ByteView bytes) {
    CborReader reader(bytes);
    const uint64_t items = expect(&reader, CborType::array).value;
    const CborItem first = reader.next();
    BundleRecord record;
    if (first.type != CborType::unsigned_int) {
        record = read_header(&reader, first);
    } else {
        if (first.value < static_cast<uint64_t>(BundleKind::seal) ||
            first.value > static_cast<uint64_t>(BundleKind::end))
            malformed();
        record.kind = static_cast<BundleKind>(first.value);
    }
    switch (record.kind) {
        case BundleKind::header:
            break;
        case BundleKind::seal:
            record.body = expect(&reader, CborType::bytes).body;
            break;
        case BundleKind::head:
            record.log_id = read_fixed(&reader, kLogIdBytes);
            record.tenant = read_optional(&reader, kTenantBytes);
            record.size = read_unsigned(&reader);
            record.root = read_fixed(&reader, kDigestBytes);
            record.entries = read_unsigned(&reader);
            break;
        case BundleKind::entry:
            record.seq = read_signed(&reader);
            record.leaf = read_optional(&reader, kDigestBytes);
            record.body = read_optional(&reader, 0);
            break;
        case BundleKind::other_head:
            record.leaf = read_fixed(&reader, kDigestBytes);
            break;
        case BundleKind::end:
            record.seals = read_unsigned(&reader);
            record.heads = read_unsigned(&reader);
            record.entries = read_unsigned(&reader);
            record.chain = read_fixed(&reader, kDigestBytes);
            break;
    }
    if (items != items_of(record.kind) || !reader.done()) malformed();
    return record;
}

Digest bundle_chain(const Digest &before, ByteView record) {
    const Digest digest = sha256(record);
    return sha256(before.view(), digest.view());
}

}  // namespace aegis::core

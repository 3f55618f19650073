// SPDX-License-Identifier: Apache-2.0
#include "core/bundle.hpp"

#include "core/record_reader.hpp"

namespace aegis::core {

namespace {

constexpr size_t kTenantBytes = 16;

void bytes_or_null(CborWriter *w, ByteView v) noexcept {
    if (v.size)
        w->bytes(v);
    else
        w->null();
}

uint64_t items_of(BundleKind kind) noexcept {
    static constexpr uint64_t kItems[] = {5, 2, 6, 4, 2, 5};
    return kItems[static_cast<size_t>(kind)];
}

}  // namespace

size_t encode_bundle_record(const BundleRecord &record, ByteSpan out) noexcept {
    CborWriter w(out);
    w.array(items_of(record.kind));
    write_kind(&w, kBundleType, static_cast<uint64_t>(record.kind));
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
    RecordReader reader(bytes, "not a record of a bundle of version 1");
    const uint64_t items = reader.array();
    BundleRecord record;
    record.kind =
        static_cast<BundleKind>(reader.kind(kBundleType, static_cast<uint64_t>(BundleKind::end)));
    switch (record.kind) {
        case BundleKind::header:
            record.database = reader.text();
            record.exported_at = reader.signed_int();
            record.tenant = reader.optional(kTenantBytes);
            record.newest_seal = reader.unsigned_int();
            break;
        case BundleKind::seal:
            record.body = reader.bytes();
            break;
        case BundleKind::head:
            record.log_id = reader.fixed(kLogIdBytes);
            record.tenant = reader.optional(kTenantBytes);
            record.size = reader.unsigned_int();
            record.root = reader.fixed(kDigestBytes);
            record.entries = reader.unsigned_int();
            break;
        case BundleKind::entry:
            record.seq = reader.signed_int();
            record.leaf = reader.optional(kDigestBytes);
            record.body = reader.optional(0);
            break;
        case BundleKind::other_head:
            record.leaf = reader.fixed(kDigestBytes);
            break;
        case BundleKind::end:
            record.seals = reader.unsigned_int();
            record.heads = reader.unsigned_int();
            record.entries = reader.unsigned_int();
            record.chain = reader.fixed(kDigestBytes);
            break;
    }
    if (items != items_of(record.kind) || !reader.done()) reader.malformed();
    return record;
}

Digest bundle_chain(const Digest &before, ByteView record) {
    const Digest digest = sha256(record);
    return sha256(before.view(), digest.view());
}

Digest bundle_statement(const Digest &chain, const Digest &newest_seal) {
    static constexpr std::string_view kType = "aegis/checked/1";
    uint8_t bytes[kType.size() + 2 * kDigestBytes];
    memcpy(bytes, kType.data(), kType.size());
    memcpy(bytes + kType.size(), chain.bytes, kDigestBytes);
    memcpy(bytes + kType.size() + kDigestBytes, newest_seal.bytes, kDigestBytes);
    return sha256({bytes, sizeof bytes});
}

}  // namespace aegis::core

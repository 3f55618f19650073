// SPDX-License-Identifier: Apache-2.0
#include "core/seal.hpp"

#include "core/record_reader.hpp"

namespace aegis::core {

namespace {

constexpr uint64_t kSealItems = 10;

}  // namespace

Digest head_leaf(ByteView log_id, uint64_t size, const Digest &root) {
    if (log_id.size != kLogIdBytes)
        throw Error{Code::invalid_argument, "a log id must have 32 bytes"};
    uint8_t data[kHeadType.size() + kLogIdBytes + 8 + kDigestBytes];
    uint8_t *at = data;
    memcpy(at, kHeadType.data(), kHeadType.size());
    at += kHeadType.size();
    memcpy(at, log_id.data, kLogIdBytes);
    at += kLogIdBytes;
    put_u64(at, size);
    memcpy(at + 8, root.bytes, kDigestBytes);
    return merkle_leaf(data);
}

size_t encode_seal(const SealFields &fields, ByteSpan out) noexcept {
    CborWriter w(out);
    w.array(kSealItems);
    w.text(kSealType);
    w.unsigned_int(fields.epoch);
    w.unsigned_int(fields.number);
    w.signed_int(fields.unix_micros);
    w.unsigned_int(fields.entries);
    w.unsigned_int(fields.root_size);
    w.bytes(fields.root.view());
    w.bytes(fields.previous.view());
    w.text(fields.snapshot);
    w.unsigned_int(fields.wal_position);
    return w.needed;
}

SealFields decode_seal(ByteView bytes) {
    RecordReader reader(bytes, "not a seal of version 1");
    if (reader.array() != kSealItems || reader.text() != kSealType) reader.malformed();
    SealFields fields{};
    fields.epoch = reader.unsigned_int();
    fields.number = reader.unsigned_int();
    fields.unix_micros = reader.signed_int();
    fields.entries = reader.unsigned_int();
    fields.root_size = reader.unsigned_int();
    fields.root = reader.digest();
    fields.previous = reader.digest();
    fields.snapshot = reader.text();
    fields.wal_position = reader.unsigned_int();
    if (!reader.done()) reader.malformed();
    return fields;
}

Digest seal_hash(ByteView encoded) {
    return sha256(encoded);
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/seal.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr uint64_t kSealItems = 10;

[[noreturn]] void malformed() {
    throw Error{Code::malformed, "not a seal of version 1"};
}

CborItem expect(CborReader *reader, CborType type) {
    const CborItem item = reader->next();
    if (item.type != type) malformed();
    return item;
}

std::string_view read_text(CborReader *reader) {
    const ByteView body = expect(reader, CborType::text).body;
    return {reinterpret_cast<const char *>(body.data), body.size};
}

Digest read_digest(CborReader *reader) {
    const ByteView body = expect(reader, CborType::bytes).body;
    if (body.size != kDigestBytes) malformed();
    Digest digest;
    memcpy(digest.bytes, body.data, kDigestBytes);
    return digest;
}

int64_t read_signed(CborReader *reader) {
    const CborItem item = reader->next();
    if ((item.type != CborType::unsigned_int && item.type != CborType::negative_int) ||
        item.value > INT64_MAX)
        malformed();
    const int64_t v = static_cast<int64_t>(item.value);
    return item.type == CborType::unsigned_int ? v : -1 - v;
}

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
    CborReader reader(bytes);
    if (expect(&reader, CborType::array).value != kSealItems || read_text(&reader) != kSealType)
        malformed();
    SealFields fields{};
    fields.epoch = expect(&reader, CborType::unsigned_int).value;
    fields.number = expect(&reader, CborType::unsigned_int).value;
    fields.unix_micros = read_signed(&reader);
    fields.entries = expect(&reader, CborType::unsigned_int).value;
    fields.root_size = expect(&reader, CborType::unsigned_int).value;
    fields.root = read_digest(&reader);
    fields.previous = read_digest(&reader);
    fields.snapshot = read_text(&reader);
    fields.wal_position = expect(&reader, CborType::unsigned_int).value;
    if (!reader.done()) malformed();
    return fields;
}

Digest seal_hash(ByteView encoded) {
    return sha256(encoded);
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/receipt.hpp"

#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/error.hpp"
#include "core/note.hpp"

namespace aegis::core {

namespace {

constexpr uint64_t kItems = 6;
constexpr size_t kMaxPath = 64;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

size_t encode_extra(const Receipt &receipt, ByteSpan out) {
    CborWriter w(out);
    w.array(kItems);
    w.text(kReceiptType);
    w.bytes(as_bytes(receipt.body));
    w.unsigned_int(receipt.leaf);
    w.unsigned_int(receipt.size);
    w.array(receipt.path.size());
    for (const Digest &hash : receipt.path) w.bytes(hash.view());
    w.bytes(receipt.log_id);
    return w.needed;
}

CborItem expect(CborReader *reader, CborType type) {
    const CborItem item = reader->next();
    if (item.type != type) malformed("the extra of a proof file is not that of a receipt");
    return item;
}

std::string_view chars(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

void fixed(CborReader *reader, ByteSpan out) {
    const ByteView bytes = expect(reader, CborType::bytes).body;
    if (bytes.size != out.size) malformed("a hash of a receipt must have 32 bytes");
    memcpy(out.data, bytes.data, bytes.size);
}

void decode_extra(ByteView bytes, Receipt *receipt) {
    CborReader reader(bytes);
    if (expect(&reader, CborType::array).value != kItems ||
        chars(expect(&reader, CborType::text).body) != kReceiptType)
        malformed("not a receipt of version 1");
    receipt->body = std::string(chars(expect(&reader, CborType::bytes).body));
    receipt->leaf = expect(&reader, CborType::unsigned_int).value;
    receipt->size = expect(&reader, CborType::unsigned_int).value;
    if (receipt->leaf >= receipt->size) malformed("the leaf of a receipt is not in its log");
    const uint64_t count = expect(&reader, CborType::array).value;
    if (count > kMaxPath) malformed("a proof has at most 64 hashes");
    receipt->path.resize(static_cast<size_t>(count));
    for (Digest &hash : receipt->path) fixed(&reader, hash.bytes);
    fixed(&reader, receipt->log_id);
    if (!reader.done()) malformed("a receipt has bytes behind its end");
}

}  // namespace

std::string format_receipt(const Receipt &receipt) {
    std::string bytes(encode_extra(receipt, {}), '\0');
    encode_extra(receipt, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    std::string extra(base64_size(bytes.size()), '\0');
    to_base64(as_bytes(bytes), extra.data());
    return format_proof_file(receipt.index, receipt.root_path, receipt.note, extra);
}

Receipt parse_receipt(std::string_view text) {
    const ProofFile file = parse_proof_file(text);
    if (file.extra.empty()) malformed("the proof file has no extra, so it is no receipt");
    std::string bytes(base64_decoded_size(file.extra), '\0');
    from_base64(file.extra, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    Receipt receipt;
    decode_extra(as_bytes(bytes), &receipt);
    decode_entry(as_bytes(receipt.body));
    receipt.index = file.index;
    receipt.root_path = file.proof;
    receipt.note = std::string(file.checkpoint);
    parse_checkpoint(parse_note(receipt.note).text);
    return receipt;
}

bool is_receipt(std::string_view text) {
    return !parse_proof_file(text).extra.empty();
}

bool receipt_head(const Receipt &receipt, Digest *root, Digest *head) {
    const Digest leaf = leaf_hash(as_bytes(receipt.body));
    if (!inclusion_root(receipt.leaf, receipt.size, leaf, receipt.path, root)) return false;
    *head = head_leaf(receipt.log_id, receipt.size, *root);
    return true;
}

bool verify_receipt(const Receipt &receipt, const Checkpoint &checkpoint) {
    Digest root, head;
    return receipt_head(receipt, &root, &head) &&
           verify_inclusion(receipt.index, checkpoint.size, head, receipt.root_path,
                            checkpoint.root);
}

}  // namespace aegis::core

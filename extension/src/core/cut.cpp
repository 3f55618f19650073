// SPDX-License-Identifier: Apache-2.0
#include "core/cut.hpp"

#include "core/record_reader.hpp"

namespace aegis::core {

namespace {

Digest digest_of(std::string_view hex) {
    Digest digest;
    if (hex.size() != hex_size(kDigestBytes))
        throw Error{Code::malformed, "a hash has 64 hexadecimal digits"};
    from_hex(hex, digest.bytes);
    return digest;
}

}  // namespace

bool read_cut(const EntryFields &entry, Cut *cut) {
    if (entry.event != kCutEvent) return false;
    *cut = Cut();
    RecordReader reader(entry.detail, "an entry that does not say what was cut");
    const CborItem map = reader.any();
    if (map.type != CborType::map || entry.outcome != Outcome::success) reader.malformed();
    bool has_root = false, has_statement = false;
    for (uint64_t i = 0; i < map.value; ++i) {
        const std::string_view key = reader.text();
        if (key == "size") {
            cut->size = reader.unsigned_int();
        } else if (key == "root") {
            cut->root = digest_of(reader.text());
            has_root = true;
        } else if (key == "statement") {
            cut->statement = digest_of(reader.text());
            has_statement = true;
        } else if (key == "requested_by") {
            cut->requested_by = reader.text();
        } else if (key == "approved_by") {
            cut->approved_by = reader.text();
        } else if (key == "reason") {
            cut->reason = reader.text();
        } else {
            reader.malformed();
        }
    }
    if (cut->size == 0 || !has_root || !has_statement || cut->requested_by.empty() ||
        cut->approved_by.empty() || cut->reason.empty())
        reader.malformed();
    return true;
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Typed reads of one record of a format in deterministic CBOR. Each refuses what the format does
// not have there: malformed, with the message of the format. Views into the bytes.
#pragma once

#include "core/cbor.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace aegis::core {

class RecordReader {
 public:
    RecordReader(ByteView in, const char *message) : in_(in), cbor_(in), message_(message) {}

    [[noreturn]] void malformed() const { throw Error{Code::malformed, message_}; }
    bool done() const noexcept { return cbor_.done(); }
    size_t position() const noexcept { return cbor_.position(); }
    ByteView since(size_t start) const { return in_.slice(start, cbor_.position() - start); }
    CborItem any() { return cbor_.next(); }

    uint64_t array() { return expect(CborType::array).value; }
    uint64_t unsigned_int() { return expect(CborType::unsigned_int).value; }
    bool boolean() { return expect(CborType::boolean).value != 0; }
    ByteView bytes() { return expect(CborType::bytes).body; }
    std::string_view text() { return chars(expect(CborType::text).body); }
    int64_t signed_int() {
        const CborItem item = cbor_.next();
        if ((item.type != CborType::unsigned_int && item.type != CborType::negative_int) ||
            item.value > INT64_MAX)
            malformed();
        const int64_t v = static_cast<int64_t>(item.value);
        return item.type == CborType::unsigned_int ? v : -1 - v;
    }
    ByteView fixed(size_t size) {
        const ByteView body = bytes();
        if (body.size != size) malformed();
        return body;
    }
    // Bytes of the size (0: any, but not empty), or null.
    ByteView optional(size_t size) {
        const CborItem item = cbor_.next();
        if (item.type == CborType::null) return {};
        if (item.type != CborType::bytes || item.body.size == 0 || (size && item.body.size != size))
            malformed();
        return item.body;
    }
    Digest digest() {
        Digest digest;
        memcpy(digest.bytes, fixed(kDigestBytes).data, kDigestBytes);
        return digest;
    }
    // The first item of a line: a header, which is kind 0, names the type of its file; any other
    // record has its number.
    uint64_t kind(std::string_view type, uint64_t last) {
        const CborItem item = cbor_.next();
        if (item.type == CborType::unsigned_int) {
            if (item.value == 0 || item.value > last) malformed();
            return item.value;
        }
        if (item.type != CborType::text || chars(item.body) != type) malformed();
        return 0;
    }

 private:
    static std::string_view chars(ByteView body) {
        return {reinterpret_cast<const char *>(body.data), body.size};
    }
    CborItem expect(CborType type) {
        const CborItem item = cbor_.next();
        if (item.type != type) malformed();
        return item;
    }

    ByteView in_;
    CborReader cbor_;
    const char *message_;
};

// What kind() reads.
inline void write_kind(CborWriter *w, std::string_view type, uint64_t kind) noexcept {
    if (kind == 0)
        w->text(type);
    else
        w->unsigned_int(kind);
}

}  // namespace aegis::core

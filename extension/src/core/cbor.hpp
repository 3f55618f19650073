// SPDX-License-Identifier: Apache-2.0
// Deterministic CBOR (RFC 8949 section 4.2.1): shortest heads, definite lengths, sorted keys.
// The writer is a plain value that never throws: it counts past the end of its buffer, so a caller
// tries a small buffer first and allocates `needed` when it overflowed.
#pragma once

#include "core/bytes.hpp"
#include "core/encoding.hpp"

namespace aegis::core {

struct CborWriter {
    ByteSpan out;
    size_t needed = 0;

    explicit CborWriter(ByteSpan buffer) : out(buffer) {}
    bool overflowed() const noexcept { return needed > out.size; }

    void unsigned_int(uint64_t v) noexcept { head(0, v); }
    void signed_int(int64_t v) noexcept;
    void bytes(ByteView v) noexcept;
    void text(std::string_view v) noexcept;
    void boolean(bool v) noexcept;
    void null() noexcept;
    void tag(uint64_t number) noexcept;
    void array(uint64_t count) noexcept;
    void map(
        uint64_t pairs) noexcept;  // the caller writes keys in bytewise order of their encoding
    void raw(ByteView encoded) noexcept;  // an item that is already encoded

 private:
    void head(uint8_t major, uint64_t v) noexcept {
        if (v >= 24) return long_head(major, v);
        // Most heads: keys of maps, and lengths of names.
        if (needed < out.size) out.data[needed] = static_cast<uint8_t>(major << 5 | v);
        ++needed;
    }
    void long_head(uint8_t major, uint64_t v) noexcept;
    void put(ByteView v) noexcept {
        if (v.size && needed < out.size) {
            const size_t room = out.size - needed;
            memcpy(out.data + needed, v.data, v.size < room ? v.size : room);
        }
        needed += v.size;
    }
};
static_assert(std::is_trivially_destructible_v<CborWriter>);

enum class CborType : uint8_t {
    unsigned_int,
    negative_int,
    bytes,
    text,
    array,
    map,
    tag,
    boolean,
    null
};

struct CborItem {
    CborType type;
    uint64_t value;  // number (n of -1-n when negative), length, count, tag number, or 0/1
    ByteView body;   // bytes and text
};

inline constexpr int kMaxCborDepth = 16;

// True when an encoded key of a map may follow another.
bool cbor_key_ascends(ByteView previous, ByteView next) noexcept;

// Reads one item head at a time and refuses whatever is not deterministic: longer heads than
// needed, indefinite lengths, floats, simple values but false, true and null, text that is not
// UTF-8. skip() also refuses maps with unsorted or repeated keys and nesting deeper than
// kMaxCborDepth. Throws malformed.
class CborReader {
 public:
    explicit CborReader(ByteView in) : in_(in) {}
    bool done() const noexcept { return at_ == in_.size; }
    size_t position() const noexcept { return at_; }
    CborItem next() {
        // Most items are small numbers, the keys of maps, and short names and ids.
        if (at_ != in_.size) {
            const uint8_t first = in_.data[at_], short_value = first & 31;
            if (first < 24) return {CborType::unsigned_int, in_.data[at_++], {}};
            if ((first >> 6) == 1 && short_value < 24 && short_value < in_.size - at_) {
                const ByteView body{in_.data + at_ + 1, short_value};
                const bool text = (first & 32) != 0;
                if (!text || is_text(body)) {
                    at_ += 1 + body.size;
                    return {text ? CborType::text : CborType::bytes, body.size, body};
                }
            }
            if (first >> 5 == 5 && short_value < 24 && 2u * short_value < in_.size - at_) {
                ++at_;
                return {CborType::map, short_value, {}};
            }
        }
        return next_item();
    }
    void skip();  // one whole item with everything inside it

 private:
    CborItem next_item();
    void skip_nested(int depth);

    ByteView in_;
    size_t at_ = 0;
};

}  // namespace aegis::core

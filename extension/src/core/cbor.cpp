// SPDX-License-Identifier: Apache-2.0
#include "core/cbor.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

enum Major : uint8_t {
    kUnsigned = 0,
    kNegative = 1,
    kBytes = 2,
    kText = 3,
    kArray = 4,
    kMap = 5,
    kTag = 6,
    kSimple = 7
};
constexpr uint8_t kFalse = 20, kTrue = 21, kNull = 22;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

}  // namespace

bool cbor_key_ascends(ByteView previous, ByteView next) noexcept {
    const size_t common = previous.size < next.size ? previous.size : next.size;
    const int order = memcmp(previous.data, next.data, common);
    return order < 0 || (order == 0 && previous.size < next.size);
}

void CborWriter::long_head(uint8_t major, uint64_t v) noexcept {
    const uint8_t top = static_cast<uint8_t>(major << 5);
    uint8_t bytes[9];
    size_t size;
    if (v <= UINT8_MAX) {
        bytes[0] = top | 24;
        bytes[1] = static_cast<uint8_t>(v);
        size = 2;
    } else if (v <= UINT16_MAX) {
        bytes[0] = top | 25;
        put_u16(bytes + 1, static_cast<uint16_t>(v));
        size = 3;
    } else if (v <= UINT32_MAX) {
        bytes[0] = top | 26;
        put_u32(bytes + 1, static_cast<uint32_t>(v));
        size = 5;
    } else {
        bytes[0] = top | 27;
        put_u64(bytes + 1, v);
        size = 9;
    }
    put({bytes, size});
}

void CborWriter::signed_int(int64_t v) noexcept {
    if (v >= 0)
        head(kUnsigned, static_cast<uint64_t>(v));
    else
        head(kNegative, ~static_cast<uint64_t>(v));  // -1 - v
}

void CborWriter::bytes(ByteView v) noexcept {
    head(kBytes, v.size);
    put(v);
}

void CborWriter::text(std::string_view v) noexcept {
    head(kText, v.size());
    put(as_bytes(v));
}

void CborWriter::boolean(bool v) noexcept {
    head(kSimple, v ? kTrue : kFalse);
}

void CborWriter::null() noexcept {
    head(kSimple, kNull);
}

void CborWriter::tag(uint64_t number) noexcept {
    head(kTag, number);
}

void CborWriter::array(uint64_t count) noexcept {
    head(kArray, count);
}

void CborWriter::map(uint64_t pairs) noexcept {
    head(kMap, pairs);
}

void CborWriter::raw(ByteView encoded) noexcept {
    put(encoded);
}

CborItem CborReader::next_item() {
    if (done()) malformed("CBOR ends too early");
    const uint8_t first = in_.data[at_];
    const uint8_t major = first >> 5, additional = first & 31;
    size_t left = in_.size - at_ - 1;
    const uint8_t *at = in_.data + at_ + 1;

    uint64_t value = additional;
    if (additional >= 28) malformed("CBOR has an indefinite length or a reserved head");
    if (additional >= 24) {
        const size_t width = size_t{1} << (additional - 24);
        if (left < width) malformed("CBOR ends too early");
        value = width == 1   ? *at
                : width == 2 ? get_u16(at)
                : width == 4 ? get_u32(at)
                             : get_u64(at);
        static constexpr uint64_t kShortest[] = {24, 0x100, 0x10000, 0x100000000};
        if (value < kShortest[additional - 24] || major == kSimple)
            malformed("CBOR head is longer than needed, or a float");
        at += width;
        left -= width;
    }

    static constexpr CborType kTypes[] = {
        CborType::unsigned_int, CborType::negative_int, CborType::bytes, CborType::text,
        CborType::array,        CborType::map,          CborType::tag,   CborType::null};
    CborItem item{kTypes[major], value, {}};
    if (major == kBytes || major == kText) {
        if (value > left) malformed("CBOR ends too early");
        item.body = {at, static_cast<size_t>(value)};
        if (major == kText && !is_text(item.body))
            malformed("CBOR text is not UTF-8, or holds U+0000");
    } else if (major == kSimple) {
        if (additional < kFalse || additional > kNull)
            malformed("CBOR simple value is not allowed");
        if (additional != kNull) item.type = CborType::boolean;
        item.value = additional == kTrue;
    } else if (major == kTag) {
        if (left == 0) malformed("CBOR ends too early");
    } else if (major >= kArray && value > (major == kMap ? left / 2 : left)) {
        malformed("CBOR ends too early");
    }
    at_ = static_cast<size_t>(at - in_.data) + item.body.size;
    return item;
}

void CborReader::skip() {
    skip_nested(0);
}

void CborReader::skip_nested(int depth) {
    if (depth > kMaxCborDepth) malformed("CBOR is nested too deeply");
    const CborItem item = next();
    switch (item.type) {
        case CborType::array:
            for (uint64_t i = 0; i < item.value; ++i) skip_nested(depth + 1);
            break;
        case CborType::map: {
            ByteView previous;
            for (uint64_t i = 0; i < item.value; ++i) {
                const size_t start = at_;
                skip_nested(depth + 1);
                const ByteView key = in_.slice(start, at_ - start);
                if (i > 0 && !cbor_key_ascends(previous, key))
                    malformed("CBOR map keys are not sorted");
                previous = key;
                skip_nested(depth + 1);
            }
            break;
        }
        case CborType::tag:
            skip_nested(depth + 1);
            break;
        default:
            break;
    }
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
// Views of bytes, big-endian numbers, constant-time comparison. Core never sees postgres.h.
#pragma once

#ifdef POSTGRES_H
#ifndef AEGIS_CORE_BYTES_SEEN
#error "core headers must come before postgres.h"
#endif
#endif
#define AEGIS_CORE_BYTES_SEEN

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace aegis::core {

struct ByteView {
    const uint8_t *data = nullptr;
    size_t size = 0;

    constexpr ByteView() = default;
    constexpr ByteView(const uint8_t *d, size_t n) : data(d), size(n) {}
    template <size_t N>
    constexpr ByteView(const uint8_t (&array)[N])
        : data(array), size(N) {}  // NOLINT: a view of its argument

    ByteView slice(size_t from, size_t count) const { return {data + from, count}; }
};

struct ByteSpan {
    uint8_t *data = nullptr;
    size_t size = 0;

    constexpr ByteSpan() = default;
    constexpr ByteSpan(uint8_t *d, size_t n) : data(d), size(n) {}
    template <size_t N>
    constexpr ByteSpan(uint8_t (&array)[N])
        : data(array), size(N) {}  // NOLINT: a view of its argument

    operator ByteView() const { return {data, size}; }  // NOLINT: a span reads as a view
    ByteSpan slice(size_t from, size_t count) const { return {data + from, count}; }
};

// Shell frames keep these across calls that may longjmp.
static_assert(std::is_trivially_destructible_v<ByteView> &&
              std::is_trivially_destructible_v<ByteSpan>);

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

inline void put_u16(uint8_t *out, uint16_t v) {
    out[0] = static_cast<uint8_t>(v >> 8);
    out[1] = static_cast<uint8_t>(v);
}
inline void put_u32(uint8_t *out, uint32_t v) {
    put_u16(out, static_cast<uint16_t>(v >> 16));
    put_u16(out + 2, static_cast<uint16_t>(v));
}
inline void put_u64(uint8_t *out, uint64_t v) {
    put_u32(out, static_cast<uint32_t>(v >> 32));
    put_u32(out + 4, static_cast<uint32_t>(v));
}
inline uint16_t get_u16(const uint8_t *in) {
    return static_cast<uint16_t>(in[0] << 8 | in[1]);
}
inline uint32_t get_u32(const uint8_t *in) {
    return static_cast<uint32_t>(get_u16(in)) << 16 | get_u16(in + 2);
}
inline uint64_t get_u64(const uint8_t *in) {
    return static_cast<uint64_t>(get_u32(in)) << 32 | get_u32(in + 4);
}

// Compares without a data-dependent branch; sizes are public.
bool equal_constant_time(ByteView a, ByteView b) noexcept;
// Overwrites secrets in a way the compiler keeps: what memory is said to be read must have been
// written. Inline, because most of what is wiped is a few words on the stack.
inline void wipe(ByteSpan bytes) noexcept {
    if (bytes.size) memset(bytes.data, 0, bytes.size);
    __asm__ __volatile__("" : : "r"(bytes.data) : "memory");
}

}  // namespace aegis::core

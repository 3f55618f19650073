// SPDX-License-Identifier: Apache-2.0
// How the unit tests write and compare bytes.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace aegis::test {

using Bytes = std::vector<uint8_t>;

inline Bytes from_hex(const std::string &text) {
    Bytes out;
    std::string digits;
    for (char c : text)
        if (c != ' ') digits += c;
    for (size_t i = 0; i + 1 < digits.size(); i += 2)
        out.push_back(static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    return out;
}

inline std::string to_hex(core::ByteView bytes) {
    static const char digits[] = "0123456789abcdef";
    std::string out;
    for (size_t i = 0; i < bytes.size; ++i) {
        out += digits[bytes.data[i] >> 4];
        out += digits[bytes.data[i] & 15];
    }
    return out;
}

inline core::ByteView view(const Bytes &bytes) {
    return {bytes.data(), bytes.size()};
}
inline core::ByteSpan span(Bytes &bytes) {
    return {bytes.data(), bytes.size()};
}
inline Bytes bytes_of(core::ByteView v) {
    return v.size ? Bytes(v.data, v.data + v.size) : Bytes();
}
inline Bytes bytes_of(std::string_view text) {
    return Bytes(text.begin(), text.end());
}
// The published test key: 00 01 02 ... 1f.
inline Bytes test_key() {
    Bytes key;
    for (uint8_t i = 0; i < 32; ++i) key.push_back(i);
    return key;
}

template <typename Body>
void expect_error(core::Code code, Body &&body) {
    try {
        body();
    } catch (const core::Error &error) {
        EXPECT_EQ(static_cast<int>(error.code), static_cast<int>(code)) << error.message;
        return;
    }
    ADD_FAILURE() << "nothing was refused";
}

// True when body() is refused with core::Error; any other exception fails the test.
template <typename Body>
bool refused(Body &&body) {
    try {
        body();
    } catch (const core::Error &) {
        return true;
    }
    return false;
}

}  // namespace aegis::test

// SPDX-License-Identifier: Apache-2.0
#include "verify_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>

#include "core/encoding.hpp"

namespace aegis::verify_tool {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 16;

// Characters in UTF-8 that steer a terminal or turn the order of what follows: U+0080 to U+009F,
// U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. Their number of bytes, or 0.
size_t steering(const std::string &text, size_t at) {
    const auto byte = [&](size_t offset) {
        return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0u;
    };
    const unsigned second = byte(1), third = byte(2);
    if (byte(0) == 0xC2 && second >= 0x80 && second <= 0x9F) return 2;
    if (byte(0) == 0xD8 && second == 0x9C) return 2;
    if (byte(0) != 0xE2) return 0;
    const bool turns =
        second == 0x80 && (third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE));
    const bool isolates = second == 0x81 && third >= 0xA6 && third <= 0xA9;
    return turns || isolates ? 3 : 0;
}

}  // namespace

void fail(const std::string &message, const std::string &hint) {
    throw Failure{message, hint};
}

Input::Input(const std::string &path) : path_(path) {
    if (path == "-") return;
    file_.open(path, std::ios::binary);
    if (!file_)
        fail("could not open \"" + path + "\": " + strerror(errno), "Check name and rights.");
}

// False at the end of the file.
bool Input::fill() {
    if (at_ < block_.size()) return true;
    std::istream &in = path_ == "-" ? std::cin : file_;
    block_.resize(kBlockBytes);
    at_ = 0;
    in.read(block_.data(), static_cast<std::streamsize>(block_.size()));
    if (in.bad()) fail("could not read \"" + path_ + "\"", "Check the file system.");
    block_.resize(static_cast<size_t>(in.gcount()));
    return !block_.empty();
}

void Input::check_length(size_t length, size_t most) const {
    if (length > most)
        fail("\"" + path_ + "\" has more than " + std::to_string(most) + " bytes in one piece",
             "It is not what it should be.");
}

bool Input::next(std::string *line, bool *ended, size_t most) {
    line->clear();
    bool some = false, whole = false;
    while (!whole && fill()) {
        const size_t end = block_.find('\n', at_);
        some = true;
        whole = end != std::string::npos;
        const size_t stop = whole ? end : block_.size();
        check_length(line->size() + stop - at_, most);
        line->append(block_, at_, stop - at_);
        at_ = whole ? stop + 1 : stop;
    }
    if (some) *ended = whole;
    return some;
}

std::string Input::all(size_t most) {
    std::string text;
    while (fill()) {
        check_length(text.size() + block_.size() - at_, most);
        text.append(block_, at_, std::string::npos);
        at_ = block_.size();
    }
    return text;
}

std::string Input::note(size_t most) {
    std::string text = all(most);
    if (text.size() > 1 && text.compare(text.size() - 2, 2, "\n\n") == 0) text.pop_back();
    return text;
}

std::string hex_of(core::ByteView bytes) {
    std::string hex(core::hex_size(bytes.size), '?');
    core::to_hex(bytes, hex.data());
    return hex;
}

std::string time_text(int64_t micros) {
    const time_t seconds = static_cast<time_t>(micros / 1000000);
    struct tm utc {};
    char text[40];
    if (gmtime_r(&seconds, &utc) == nullptr ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return std::to_string(micros) + " us";
    return text;
}

std::string json(const std::string &text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
            out += escape;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string plain(const std::string &text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const unsigned char c = static_cast<unsigned char>(text[at]);
        const size_t steers = c < 0x20 || c == 0x7f ? 1 : steering(text, at);
        out += steers > 0 ? '?' : text[at];
        at += steers > 0 ? steers : 1;
    }
    return out;
}

void read_uuid(const std::string &text, core::ByteSpan out) {
    std::string digits;
    for (const char c : text)
        if (c != '-') digits += c;
    if (digits.size() != 2 * out.size)
        fail("\"" + plain(text) + "\" is not a UUID", "See aegis.tenants().");
    core::from_hex(digits, out);
}

}  // namespace aegis::verify_tool

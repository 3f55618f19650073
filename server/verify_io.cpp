// SPDX-License-Identifier: Apache-2.0
#include "verify_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>
#include <iterator>

#include "core/encoding.hpp"

namespace aegis::verify_tool {

void fail(const std::string &message, const std::string &hint) {
    throw Failure{message, hint};
}

Input::Input(const std::string &path) : path_(path) {
    if (path == "-") return;
    file_.open(path, std::ios::binary);
    if (!file_)
        fail("could not open \"" + path + "\": " + strerror(errno), "Check name and rights.");
}

bool Input::next(std::string *line, bool *ended) {
    std::istream &in = path_ == "-" ? std::cin : file_;
    if (!std::getline(in, *line)) {
        if (in.bad()) fail("could not read \"" + path_ + "\"", "Check the file system.");
        return false;
    }
    *ended = !in.eof();
    return true;
}

std::string Input::all() {
    std::istream &in = path_ == "-" ? std::cin : file_;
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (in.bad()) fail("could not read \"" + path_ + "\"", "Check the file system.");
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

std::string plain(std::string text) {
    for (char &c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return text;
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

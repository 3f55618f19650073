// SPDX-License-Identifier: Apache-2.0
// How aegis-verify reads its input, fails, and writes what it found.
#pragma once

#include <fstream>
#include <string>

#include "core/bytes.hpp"

namespace aegis::verify_tool {

inline constexpr int kOk = 0, kFindings = 1, kUnusable = 2;

struct Failure {  // the call or the input cannot be used
    std::string message;
    std::string hint;
};
[[noreturn]] void fail(const std::string &message, const std::string &hint);

// No database can hand out a longer text.
inline constexpr size_t kMaxTextBytes = size_t{1} << 30;

// A file, or standard input for "-". Whoever made it may wish us ill: what is longer than it can
// honestly be fails before it fills the memory.
class Input {
 public:
    explicit Input(const std::string &path);
    // One line without its end. False at the end of the file; otherwise *ended tells whether a
    // line end stood.
    bool next(std::string *line, bool *ended, size_t most = kMaxTextBytes);
    std::string all(size_t most = kMaxTextBytes);
    // A note or a file that ends with one: psql ends what it prints with one line end more, while
    // no note ends with an empty line.
    std::string note(size_t most = kMaxTextBytes);

 private:
    bool fill();
    void check_length(size_t length, size_t most) const;

    std::string path_;
    std::ifstream file_;
    std::string block_;
    size_t at_ = 0;
};

std::string hex_of(core::ByteView bytes);
std::string time_text(int64_t micros);
std::string json(const std::string &text);
// Text of the file for a terminal: nothing in it can move the cursor
// or turn the order of what is read.
std::string plain(const std::string &text);
// 16 bytes of a UUID with or without hyphens; fails otherwise.
void read_uuid(const std::string &text, core::ByteSpan out);

}  // namespace aegis::verify_tool

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

// A file, or standard input for "-".
class Input {
 public:
    explicit Input(const std::string &path);
    // One line without its end. False at the end of the file; *ended tells whether a line end
    // stood.
    bool next(std::string *line, bool *ended);
    std::string all();

 private:
    std::string path_;
    std::ifstream file_;
};

std::string hex_of(core::ByteView bytes);
std::string time_text(int64_t micros);
std::string json(const std::string &text);
// Text of the file for a terminal: nothing in it can move the cursor.
std::string plain(std::string text);
// 16 bytes of a UUID with or without hyphens; fails otherwise.
void read_uuid(const std::string &text, core::ByteSpan out);

}  // namespace aegis::verify_tool

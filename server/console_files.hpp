// SPDX-License-Identifier: Apache-2.0
// The files of the folder console, as the build put them into the program (embed_console.cmake).
#pragma once

#include <string_view>
#include <vector>

namespace aegis::server {

struct ConsoleFile {
    std::string_view path;  // "/assets/HASH/NAME"
    std::string_view type;
    std::string_view content;
};

const std::vector<ConsoleFile> &console_assets();
// index.html with the paths of its assets; {{nonce}} is still open.
std::string_view console_shell();

}  // namespace aegis::server

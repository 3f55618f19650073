// SPDX-License-Identifier: Apache-2.0
// Where aegis-verify fsck reads a log from: a folder, or HTTP over TLS 1.3 with libcurl.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace aegis::verify_tool {

struct SourceOptions {
    std::string place;       // a folder, https://…, or http:// and a loopback address
    std::string ca;          // PEM with the authorities to trust instead of the system's
    std::string token_file;  // its line is sent as a bearer token
};

class FsckSource {
 public:
    virtual ~FsckSource() = default;
    // The resource below the log's address; nothing and *why when it cannot be had, or has more
    // than `most` bytes.
    virtual std::optional<std::string> read(const std::string &path, size_t most,
                                            std::string *why) = 0;
    // Whether what was read last is said to have been there once (410).
    virtual bool was_gone() const { return false; }
};

// Ends the program with a message for what is neither.
std::unique_ptr<FsckSource> open_source(const SourceOptions &options);

}  // namespace aegis::verify_tool

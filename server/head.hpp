// SPDX-License-Identifier: Apache-2.0
// The strict reader of an HTTP/1.1 request head. What two parsers could understand differently is
// refused here, so that nothing behind it ever sees it: bare CR or LF, folded lines, a space before
// the colon, two lengths, a length with a transfer coding, an absolute target, a doubtful path.
// Pure: no input or output, no clock.
#pragma once

#include "refusal.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aegis::server {

struct HeadLimits {
    size_t bytes = 16384;
    size_t fields = 64;
    size_t line_bytes = 8192;  // request line
    size_t path_bytes = 1024;
    size_t query_bytes = 4096;
};

struct Head {
    std::string method;
    std::string path;   // begins with "/"; only unreserved characters, ":" and "@"
    std::string query;  // without "?"; percent-encodings are complete
    std::string host;   // lower case, without the port
    // Lower-case names, values without surrounding blanks; printable ASCII and tabs only.
    std::vector<std::pair<std::string, std::string>> fields;
    size_t content_length = 0;
    bool close = false;  // the client asked to close after the answer

    std::string target() const { return query.empty() ? path : path + "?" + query; }
    // The first value of the field, or nullptr.
    const std::string *find(std::string_view name) const;
};

enum class HeadState { incomplete, complete, refused };

// Reads from the start of the bytes. complete: *head is filled and *consumed counts the head's
// bytes with its empty line. refused: *refusal is filled and the connection must be closed.
HeadState parse_head(std::string_view bytes, const HeadLimits &limits, Head *head, size_t *consumed,
                     Refusal *refusal);

}  // namespace aegis::server

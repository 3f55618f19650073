// SPDX-License-Identifier: Apache-2.0
// What every process that keeps a signing key does before it serves.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "durable_file.hpp"

namespace aegis::server {

// The key must not reach a core file, and nobody may read this process's memory. Throws FileError.
void close_memory();
// The user itself, and who was named, by name or number. Throws FileError for an unknown one.
std::set<uid_t> users_of(const std::vector<std::string> &names);
// Whoever opens all places must not leave us without a descriptor: then no head could be kept, and
// a connection that cannot be accepted would wake us for ever. Throws FileError.
void require_open_files(size_t connections, const std::string &who);
// Blocks SIGTERM and SIGINT; the descriptor becomes readable with the first of them. SIGPIPE is
// ignored.
Descriptor stop_signals();

}  // namespace aegis::server

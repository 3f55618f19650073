// SPDX-License-Identifier: Apache-2.0
// What an entry says that the beginning of a log was cut: its leaves below a size have no bodies
// any more, only their hashes. docs/format/cut-v1.md.
#pragma once

#include "core/entry.hpp"

namespace aegis::core {

inline constexpr std::string_view kCutEvent = "ledger.cut";

struct Cut {             // views into the body
    uint64_t size = 0;   // the log's leaves below this one were cut
    Digest root{};       // that the log had at this size
    Digest statement{};  // of the bundle that holds what was cut, see bundle_statement()
    std::string_view requested_by, approved_by, reason;
};

// False when the entry is about something else. Throws malformed when it is a cut that does not say
// what it must.
bool read_cut(const EntryFields &entry, Cut *cut);

}  // namespace aegis::core

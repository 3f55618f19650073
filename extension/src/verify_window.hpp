// SPDX-License-Identifier: Apache-2.0
// What a verification keeps of the entries: their recomputed leaves, one partition at a time.
// docs/verify.md.
#pragma once

#include "verify_scan.hpp"

namespace aegis::verify_window {

using verify_scan::Entry;

// gone: all entries of its partition were found before, and were let go.
enum class Found { entry, missing, used_before, gone };

enum class Odd { duplicate, stray };

struct Observer {
    void (*report)(void *state, int64 seq, Odd what);
    void *state;
};

struct Window;

// Lives in the current memory context; reads with the active snapshot. Entries before the start are
// passed over as if they were not there.
Window *open(const verify_start::Start *start, const verify_scan::Tenants *tenants,
             const Observer &observer);
Found find(Window *window, int64 seq, Entry **entry);
// Reads what no leaf asked for, then visits every entry that no leaf named.
void visit_unused(Window *window, void (*visit)(void *state, int64 seq, const Entry &entry),
                  void *state);
int64 entries_read(const Window *window);
const char *fault_text(uint8 fault);

}  // namespace aegis::verify_window

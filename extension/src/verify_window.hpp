// SPDX-License-Identifier: Apache-2.0
// What a verification keeps of the entries: their recomputed leaves, one partition at a time.
// Every body is hashed and decoded once, when its partition is read. docs/verify.md.
#pragma once

#include "core/digest.hpp"
#include "pg/postgres.hpp"

namespace aegis::verify_window {

enum Fault : uint8_t {
    kFaultNone = 0,
    kFaultLeaf = 1,       // the body does not have the stored leaf
    kFaultBody = 2,       // the body is not an entry
    kFaultColumns = 4,    // columns and body say different things
    kFaultPartition = 8,  // outside the bounds of its partition
};

struct Entry {
    core::Digest leaf;  // the stored one: the fault is reported, not multiplied
    int32 log;          // number of its tenant's log, 0 when there is none
    int32 epoch;
    uint64 xid;
    uint8 fault;
    bool present;
    bool used;  // some leaf names it
};

enum class Found { entry, missing, used_before };

struct Callbacks {
    // Number of a tenant's log (nullptr: the system's); 0 for none, -1 for a tenant that is not
    // checked.
    int32 (*log_of)(void *state, const pg_uuid_t *tenant);
    void (*duplicate)(void *state, int64 seq);
    void *state;
};

struct Window;

// Lives in the current memory context; reads with the active snapshot.
Window *open(const Callbacks &callbacks);
Found find(Window *window, int64 seq, Entry **entry);
// Reads what no leaf asked for, then visits every entry that no leaf named.
void visit_unused(Window *window, void (*visit)(void *state, int64 seq, const Entry &entry));
int64 entries_read(const Window *window);
const char *fault_text(uint8 fault);

}  // namespace aegis::verify_window

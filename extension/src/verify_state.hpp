// SPDX-License-Identifier: Apache-2.0
// What a verification knows while it runs.
#pragma once

#include "core/seal.hpp"

#include "verify_checkpoint.hpp"
#include "verify_cut.hpp"
#include "verify_report.hpp"
#include "verify_start.hpp"
#include "verify_tree.hpp"
#include "verify_window.hpp"

namespace aegis::verify {

using verify_scan::LogKey;

struct Log {
    int32 number;  // hash key
    LogKey key;
    uint8_t id[core::kLogIdBytes];
    int64 size;  // as aegis.tenant_log says
    core::Digest root;
    core::ByteView stored;      // its frontier, as aegis.tenant_log says
    core::Frontier frontier;    // as rebuilt
    int64 start;                // leaves below were sealed before the verification starts
    core::Digest start_root;    // of these, as the newest head of them says
    int64 cut;                  // leaves below may be without an entry
    verify_cut::Hollow hollow;  // those that are
    bool checked;               // belongs to the tenants that were asked for
    bool broken;                // reported; its later roots are taken as they are stored
};

struct Seal {
    core::SealFields fields;
    core::Digest hash;
    int64 number;
};

struct State {
    Report report;
    const pg_uuid_t *only;
    const char *kept;   // a checkpoint, or nullptr
    const char *since;  // the one to start from, or nullptr
    verify_start::Start start;
    verify_tree::Expected trees;
    verify_checkpoint::State checkpoints;
    verify_cut::State cuts;
    HTAB *logs;
    verify_scan::Tenants *tenants;
    verify_window::Window *window;
    MemoryContext memory;
    int64 unsealed;
    // Walk over the leaves of one seal.
    int64 leaves_in_seal;
    int32 last_log;
    int64 last_seq;
    core::Frontier root_log;
    bool root_log_broken;  // reported; it goes on from what a seal stored
    Seal newest;
    Datum newest_snapshot;
};

inline void finding(State *state, Check check, const char *subject, const char *detail) {
    finding(&state->report, check, subject, detail);
}
inline Log *log_by_number(State *state, int32 number) {
    return static_cast<Log *>(hash_search(state->logs, &number, HASH_FIND, nullptr));
}

// "the log of tenant ...".
const char *name_of(const Log *log);
verify_cut::Log for_cuts(const Log *log);
// True when the stored frontier is the rebuilt one. The next seal goes on from it.
bool is_stored(const core::Frontier &frontier, core::ByteView stored);
// True when the newest seal or one before it must cover a transaction. pointer: a State.
bool is_due(void *pointer, int32 its_epoch, uint64 xid);

// In the end: the heads that aegis.tenant_log has, and the rows that say what was checked.
void check_heads(State *state);
void summarise(State *state);

}  // namespace aegis::verify

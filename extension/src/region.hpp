// SPDX-License-Identifier: Apache-2.0
// Memory that the postmaster maps once and every process inherits. Unlike PostgreSQL's own shared
// memory it survives the restart after a backend crash, so a charge outlives the backend that made
// it. It holds plain data, and slots are taken with atomic operations: a killed process can
// leave no lock behind. The locks of the nonces are made anew at that restart.
#pragma once

#include <atomic>

#include "budget.hpp"
#include "charge.hpp"
#include "key_page.hpp"
#include "limit.hpp"
#include "password.hpp"
#include "service_nonce.hpp"
#include "verify_progress.hpp"
#include "worker.hpp"

namespace aegis::region {

struct State {
    charge::Table charges;
    worker::Slots workers;
    password::Slots passwords;
    verify_progress::Slots verifications;
    // See key_cache::announce_change(): how many there were, and how many are being committed now.
    std::atomic<uint64_t> key_changes;
    std::atomic<int32_t> key_changing;
    limit::Meters limits;
    budget::Table budgets;
    service_nonce::Memory nonces;
    std::atomic<uint32_t> demo_refused;  // 1: a start before this one was refused, docs/demo.md
};

// nullptr when the library was not loaded by the postmaster.
State *state();
// The locked, non-dumpable page with key material. Read-only in backends once sealed.
key::Page *key_page();

void create();              // postmaster only; called from _PG_init
void protect_key_page();    // makes this process's view read-only
void unprotect_key_page();  // for the launcher, which reloads keys

}  // namespace aegis::region

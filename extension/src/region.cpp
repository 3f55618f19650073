// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "region.hpp"

namespace aegis::region {

namespace {

State *state_map = nullptr;
key::Page *key_map = nullptr;

void *map_shared(size_t bytes) {
    void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY),
                        errmsg("could not map %zu bytes of shared memory: %m", bytes)));
    return at;
}

shmem_startup_hook_type previous_startup = nullptr;

// Runs in the postmaster whenever PostgreSQL makes its own shared memory: at start, and again after
// a crash, when every other process is gone and only this region is left of them.
void after_restart() {
    if (previous_startup != nullptr) previous_startup();
    charge::survive_restart();
    worker::survive_restart();
    verify_progress::survive_restart();
    service_nonce::survive_restart();
    state_map->key_changing.store(0);
}

}  // namespace

State *state() {
    return state_map;
}

key::Page *key_page() {
    return key_map;
}

void create() {
    // Zeroed memory is the valid empty state of every table in here.
    state_map = static_cast<State *>(map_shared(sizeof(State)));
    key_map = static_cast<key::Page *>(map_shared(sizeof(key::Page)));
    if (mlock(key_map, sizeof(key::Page)) != 0)
        ereport(WARNING, (errmsg("could not lock the key page in memory: %m"),
                          errhint("Raise the limit of locked memory (ulimit -l) for the server.")));
    budget::create();
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = after_restart;
    if (madvise(key_map, sizeof(key::Page), MADV_DONTDUMP) != 0)
        ereport(WARNING, (errmsg("could not keep the key page out of core dumps: %m")));
}

void protect_key_page() {
    if (key_map != nullptr && mprotect(key_map, sizeof(key::Page), PROT_READ) != 0)
        ereport(ERROR,
                (errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not protect the key page: %m")));
}

void unprotect_key_page() {
    if (key_map != nullptr && mprotect(key_map, sizeof(key::Page), PROT_READ | PROT_WRITE) != 0)
        ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not open the key page: %m")));
}

}  // namespace aegis::region

// SPDX-License-Identifier: Apache-2.0
// Frees what a thread kept for itself when that thread ends, and not when the process does: a
// thread_local with a destructor would also run inside exit(), where a backend may still need it.
// Included only by core's .cpp files.
#pragma once

#include <pthread.h>

namespace aegis::core {

// Calls Free(object) when the calling thread ends. One object per Free and thread.
template <void (*Free)(void *)>
void free_at_thread_exit(void *object) noexcept {
    static const struct Slot {
        pthread_key_t key;
        bool usable;
        Slot() noexcept : key{}, usable(pthread_key_create(&key, Free) == 0) {}
    } slot;
    // Without a slot the object lives as long as the process, which costs memory and nothing else.
    if (slot.usable) (void)pthread_setspecific(slot.key, object);
}

}  // namespace aegis::core

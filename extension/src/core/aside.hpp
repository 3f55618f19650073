// SPDX-License-Identifier: Apache-2.0
// Work that gives way: a thread of the lowest priority does it while the caller waits. A priority
// that was lowered cannot be raised again without privileges, so the thread is thrown away.
#pragma once

namespace aegis::core {

// Calls work(state) and returns when it is done. The work runs with every signal blocked, must not
// throw and must not touch what belongs to the calling thread; where no thread can be made, the
// caller does it itself.
void run_aside(void (*work)(void *), void *state) noexcept;

template <typename Work>
void run_aside(Work &&work) noexcept {
    run_aside([](void *state) { (*static_cast<Work *>(state))(); }, &work);
}

}  // namespace aegis::core

// SPDX-License-Identifier: Apache-2.0
#include "core/aside.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <csignal>

namespace aegis::core {

namespace {

constexpr int kLowest = 19;

struct Task {
    void (*work)(void *);
    void *state;
};

void *begin(void *given) {
    const Task *task = static_cast<const Task *>(given);
    // On Linux a priority belongs to a thread: 0 is the calling one. SCHED_IDLE would give way even
    // more, but on a machine that is never idle it may not get on at all.
    (void)setpriority(PRIO_PROCESS, 0, kLowest);
    task->work(task->state);
    return nullptr;
}

}  // namespace

void run_aside(void (*work)(void *), void *state) noexcept {
    Task task = {work, state};
    // Signals are for the caller, whose handlers know nothing of a second thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_t thread;
    bool blocked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    bool made = blocked && pthread_create(&thread, nullptr, begin, &task) == 0;
    if (blocked) (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (made)
        (void)pthread_join(thread, nullptr);
    else
        work(state);
}

}  // namespace aegis::core

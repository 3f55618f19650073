// SPDX-License-Identifier: Apache-2.0
#include "core/aside.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <csignal>

using namespace aegis::core;

namespace {

bool is_blocked(int signal) {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return sigismember(&now, signal) == 1;
}

}  // namespace

TEST(Aside, RunsAtTheLowestPriorityWithoutSignals) {
    int before = getpriority(PRIO_PROCESS, 0);
    pthread_t caller = pthread_self();
    int priority = before;
    bool elsewhere = false, blocked = false;
    run_aside([&] {
        elsewhere = pthread_equal(caller, pthread_self()) == 0;
        priority = getpriority(PRIO_PROCESS, 0);
        blocked = is_blocked(SIGTERM) && is_blocked(SIGINT) && is_blocked(SIGUSR1);
    });
    EXPECT_TRUE(elsewhere);
    EXPECT_TRUE(blocked);
    EXPECT_EQ(priority, 19);
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
    EXPECT_FALSE(is_blocked(SIGTERM));
}

TEST(Aside, IsDoneWhenItReturns) {
    int sum = 0;
    for (int i = 1; i <= 100; ++i) run_aside([&] { sum += i; });
    EXPECT_EQ(sum, 5050);
}

// SPDX-License-Identifier: Apache-2.0
#include "core/random.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

std::string nonce_hex() {
    uint8_t out[24];
    random_nonce(out);
    return to_hex(out);
}

}  // namespace

TEST(Random, NoncesDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 5000; ++i) seen.insert(nonce_hex());
    EXPECT_EQ(seen.size(), 5000u);
}

TEST(Random, FillsAnySize) {
    for (size_t size : {0, 1, 23, 510, 511, 512, 4096, 100000}) {
        Bytes nonce(size + 1, 0x5a), secret(size + 1, 0x5a);
        random_nonce({nonce.data(), size});
        random_secret({secret.data(), size});
        EXPECT_EQ(nonce[size], 0x5a);
        EXPECT_EQ(secret[size], 0x5a);
        if (size >= 23) {
            EXPECT_NE(nonce, secret);
        }
    }
}

// Parent and children draw after a fork with a filled pool; nobody may see another's bytes.
TEST(Random, APoolIsNotSharedAfterFork) {
    nonce_hex();
    std::set<std::string> seen;
    size_t drawn = 0;
    for (int child = 0; child < 4; ++child) {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t pid = fork();
        ASSERT_GE(pid, 0);
        if (pid == 0) {
            uint8_t out[24 * 4];
            for (int i = 0; i < 4; ++i) random_nonce({out + 24 * i, 24});
            const bool written =
                write(ends[1], out, sizeof out) == static_cast<ssize_t>(sizeof out);
            _exit(written ? 0 : 1);
        }
        close(ends[1]);
        uint8_t in[24 * 4];
        size_t got = 0;
        for (ssize_t n; got < sizeof in && (n = read(ends[0], in + got, sizeof in - got)) > 0;)
            got += static_cast<size_t>(n);
        close(ends[0]);
        int status = -1;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(got, sizeof in);
        for (int i = 0; i < 4; ++i) seen.insert(to_hex({in + 24 * i, 24}));
        drawn += 4;
    }
    for (int i = 0; i < 4; ++i, ++drawn) seen.insert(nonce_hex());
    EXPECT_EQ(seen.size(), drawn);
}

TEST(Random, ThreadsHaveTheirOwnPools) {
    std::set<std::string> seen[3];
    std::vector<std::thread> threads;
    for (auto &own : seen)
        threads.emplace_back([&own] {
            for (int i = 0; i < 1000; ++i) own.insert(nonce_hex());
        });
    for (std::thread &thread : threads) thread.join();
    std::set<std::string> all;
    for (const auto &own : seen) all.insert(own.begin(), own.end());
    EXPECT_EQ(all.size(), 3000u);
}

// SPDX-License-Identifier: Apache-2.0
#include "core/secret.hpp"

#include <new>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

TEST(Key32, TakesExactly32Bytes) {
    const Bytes key = test_key();
    EXPECT_EQ(to_hex(Key32(view(key)).view()), to_hex(view(key)));
    for (size_t size : {0, 31, 33, 64})
        expect_error(Code::invalid_argument, [&] { Key32 refused(view(Bytes(size))); });
}

TEST(Key32, IsWipedAtItsEnd) {
    alignas(Key32) uint8_t room[sizeof(Key32)];
    const Bytes key(32, 0xa5);
    Key32 *placed = new (room) Key32(view(key));
    volatile const uint8_t *seen = room;
    EXPECT_EQ(seen[7], 0xa5);
    placed->~Key32();
    int left = 0;
    for (size_t i = 0; i < sizeof room; ++i) left += seen[i];
    EXPECT_EQ(left, 0);
}

// SPDX-License-Identifier: Apache-2.0
// Where a verification from a checkpoint starts: at the seal that the checkpoint covers. What was
// sealed before is not read; what it hashed to is believed as far as it leads to the checkpoint.
// docs/verify.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::verify_start {

struct Start {
    int64 seal;  // 0: the whole ledger is verified
    int32 epoch;
    uint64 xmax;
    int open_count;
    const uint64 *open;  // transactions that were open at the seal
    Datum snapshot;
};

// The seal at which the root log had this size; seal 0 when there is none. Reads with the active
// snapshot, and needs an SPI connection, in whose memory the result lives.
Start find(uint64 root_size);

// True when the transaction had not ended at the seal: its entries were sealed later, or not yet.
bool is_after(const Start &start, int32 epoch, uint64 xid);

// The block of a partition before which there are no such entries.
BlockNumber first_block(const Start &start, Relation partition);

}  // namespace aegis::verify_start

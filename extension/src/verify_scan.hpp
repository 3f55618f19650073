// SPDX-License-Identifier: Apache-2.0
// Reads a partition of aegis.entry in the order of the disk: every body is hashed and decoded once
// and compared with the columns beside it. Large partitions are read by several processes.
#pragma once

#include "core/digest.hpp"
#include "verify_start.hpp"

namespace aegis::verify_scan {

enum Fault : uint8_t {
    kFaultNone = 0,
    kFaultLeaf = 1,       // the body does not have the stored leaf
    kFaultBody = 2,       // the body is not an entry
    kFaultColumns = 4,    // columns and body say different things
    kFaultPartition = 8,  // outside the bounds of its partition
};

struct Entry {
    core::Digest leaf;  // the stored one: the fault is reported, not multiplied
    int32 log;          // number of its tenant's log, 0 when there is none
    int32 epoch;
    uint64 xid;
    uint8 fault;
    bool present;
    bool used;  // some leaf names it
};

struct Row {
    int64 seq;
    Entry entry;
};

struct LogKey {  // without padding, so that bytes compare
    uint8 has_tenant;
    pg_uuid_t tenant;
};

struct Tenant {
    LogKey key;
    int32 log;
};

// One block of memory, so that other processes get a copy.
struct Tenants {
    bool has_only;  // entries of all other tenants are passed over
    pg_uuid_t only;
    int32 count;
    Tenant list[FLEXIBLE_ARRAY_MEMBER];  // in the order of compare_keys()
};

inline Size size_of(int32 count) {
    return offsetof(Tenants, list) + sizeof(Tenant) * count;
}
inline int compare_keys(const LogKey &a, const LogKey &b) {
    return memcmp(&a, &b, sizeof(LogKey));
}

struct Sink {
    void (*take)(void *state, const Row *rows, int count);
    void *state;
};

// Reads rows with the active snapshot: all of them, or at least those after the start. The sink is
// called in this process only; `in_order`: with all rows in the order of the disk.
void read_partition(Oid relation, const verify_start::Start &start, const Tenants &tenants,
                    bool in_order, const Sink &sink);

}  // namespace aegis::verify_scan

extern "C" void aegis_verify_worker(dsm_segment *segment, shm_toc *contents);

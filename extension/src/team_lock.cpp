// SPDX-License-Identifier: Apache-2.0
// Numbers of teams stand in contexts, in rows and in transactions that are about to write rows. So
// whoever has a context holds the numbers of its tenant still until its transaction ends, and
// whoever changes them waits for all these and keeps new ones out: nobody ever looks with an old
// range at rows with new numbers.
#include "team.hpp"

#include "own_table.hpp"

namespace aegis::team {

namespace {

// Longer than this neither a change waits for contexts nor a context for a change.
constexpr int kPatienceMs = 5000;

LOCKTAG tag_of(const pg_uuid_t &tenant) {
    // 48 random bits; two tenants that share them wait for each other.
    uint32 high;
    uint16 low;
    memcpy(&high, tenant.data, sizeof high);
    memcpy(&low, tenant.data + sizeof high, sizeof low);
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, own_table::find("team"), high, low);
    return tag;
}

void acquire(const pg_uuid_t &tenant, LOCKMODE mode) {
    LOCKTAG tag = tag_of(tenant);
    if (LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL) return;
    int nest = NewGUCNestLevel();
    if (LockTimeout == 0 || LockTimeout > kPatienceMs) {
        char patience[16];
        snprintf(patience, sizeof patience, "%d", kPatienceMs);
        set_config_option("lock_timeout", patience, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
    }
    LockAcquire(&tag, mode, false, false);
    AtEOXact_GUC(false, nest);
}

}  // namespace

void hold_numbers(const pg_uuid_t &tenant) {
    acquire(tenant, AccessShareLock);
}

void take_numbers(const pg_uuid_t &tenant) {
    acquire(tenant, AccessExclusiveLock);
}

void require_seen(HeapTuple team) {
    TransactionId writer = HeapTupleHeaderGetXmin(team->t_data);
    if (!ActiveSnapshotSet() || TransactionIdIsCurrentTransactionId(writer) ||
        !XidInMVCCSnapshot(writer, GetActiveSnapshot()))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
             errmsg("could not serialize access because the user's team was changed meanwhile"),
             errhint("Try again.")));
}

}  // namespace aegis::team

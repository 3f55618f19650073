// SPDX-License-Identifier: Apache-2.0
#include "job_table.hpp"

namespace aegis::job {

AsOwner enter_table(Oid relation, bool writes) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table was dropped")));
    Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    AsOwner entered;
    GetUserIdAndSecContext(&entered.before.user, &entered.before.security);
    entered.settings = NewGUCNestLevel();
    if (writes)
        (void)set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
    SetUserIdAndSecContext(owner, entered.before.security | SECURITY_RESTRICTED_OPERATION);
    return entered;
}

void leave_table(const AsOwner &entered) {
    AtEOXact_GUC(false, entered.settings);
    SetUserIdAndSecContext(entered.before.user, entered.before.security);
}

void note_writers(Oid relation, MemoryContext memory, Writers *writers) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    int count = 0;
    VirtualTransactionId *found = GetLockConflicts(&tag, ShareLock, &count);
    if (count == 0) return;
    MemoryContext caller = MemoryContextSwitchTo(memory);
    size_t bytes = sizeof(VirtualTransactionId) * (writers->count + count);
    writers->ids = static_cast<VirtualTransactionId *>(
        writers->ids == nullptr ? palloc(bytes) : repalloc(writers->ids, bytes));
    memcpy(writers->ids + writers->count, found, sizeof(VirtualTransactionId) * count);
    writers->count += count;
    MemoryContextSwitchTo(caller);
}

void forget_gone(Writers *writers) {
    int kept = 0;
    for (int i = 0; i < writers->count; i++)
        if (!VirtualXactLock(writers->ids[i], false)) writers->ids[kept++] = writers->ids[i];
    writers->count = kept;
}

}  // namespace aegis::job

// SPDX-License-Identifier: Apache-2.0
// The end of a conversion: the twin takes the place of its column.
#include "field_convert.hpp"

namespace aegis::field::convert {

// A snapshot from before sees versions of rows that have no twin, and would find NULL under the
// name of the column. Whoever has looked at the table keeps the swap out by a lock; this waits for
// those who have not yet.
void wait_for_snapshots(const Conversion &c) {
    if (c.batch == 0) return;
    note(c, "snapshots", 0, 0, 0, false);
    end_transaction(c);
    int count = 0;
    VirtualTransactionId *holders =
        GetCurrentVirtualXIDs(ReadNextTransactionId(), true, false,
                              PROC_IS_AUTOVACUUM | PROC_IN_VACUUM | PROC_IN_SAFE_IC, &count);
    for (int i = 0; i < count; i++) VirtualXactLock(holders[i], true);
    pfree(holders);
}

bool swap(Conversion *c, const char *mark) {
    note(*c, "swap", 0, 0, 0, false);
    end_transaction(*c);
    TimestampTz since = lock_exclusively(c);
    refuse_findings(*c, false);
    bool ready =
        strcmp(trigger_mark(*c), mark) == 0 &&
        ask(*c, "SELECT 1 FROM aegis.twin_indexes($1, $2) WHERE NOT ready") == NIL &&
        ask(*c,
            "SELECT 1 FROM aegis.twin_pair($1, $2) p JOIN pg_catalog.pg_attribute a ON a.attrelid "
            "= $1 AND a.attname = p.twin JOIN pg_catalog.pg_constraint k ON k.conrelid = $1 AND "
            "k.contype = 'c' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)") == NIL;
    if (!ready) {
        release(c, since);
        return false;
    }
    // That an index takes the name of its constraint is what is wanted.
    (void)set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, 0, false);
    run_all(ask(*c, "SELECT * FROM aegis.twin_swap($1, $2)"));
    if (c->seals) {
        ask(*c, "DELETE FROM aegis.conversion WHERE relation = $1 AND field = $2");
        record_registration(*c->order);
    } else {
        forget_field(*c);
        ledger::DetailPair pairs[] = {{"column", c->column, 0},
                                      {"reason", c->reason, 0},
                                      {"table", get_rel_name(c->table), 0}};
        record("field.decrypted", c->field, pairs, 3);
    }
    release(c, since);
    return true;
}

}  // namespace aegis::field::convert

// SPDX-License-Identifier: Apache-2.0
// Which relations make up the ledger, by OID. Everything that writes or guards the ledger asks
// here; names are looked up once, and only before the guard stands, so a rename cannot move the
// target.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::ledger_tables {

struct Oids {
    Oid schema;
    Oid entry;  // partitioned by seq
    Oid entry_seq;
    Oid event_type;
    Oid epoch;
    Oid seal;
    Oid seal_leaves;
    Oid tenant_log;
    Oid checkpoint;
    Oid cosignature;
    Oid tree_node;
    Oid cut;
    Oid audit_log;  // the view
    Oid watched;    // what entries about roles, grants and settings are told from
};

// nullptr while the extension is not installed in this database. Needs a transaction.
const Oids *find();
// The same, or ERROR undefined_table.
const Oids &require();
// True for a ledger table, a partition of aegis.entry, the sequence, the view, or aegis.watched.
bool contains(Oid relation);
// The table of the ledger whose long values lie in this relation, or InvalidOid.
Oid toasted_by(Oid toast);

// Statements on ledger tables by our own code run inside own_change(); the guard lets them pass.
bool is_own_change();
namespace detail {
extern bool own_change_open;
}
template <typename Body>
void own_change(Body &&body) {
    bool before = detail::own_change_open;
    detail::own_change_open = true;
    PG_TRY();
    { body(); }
    PG_FINALLY();
    { detail::own_change_open = before; }
    PG_END_TRY();
}

void define();  // invalidation callbacks; called from ledger::define()

}  // namespace aegis::ledger_tables

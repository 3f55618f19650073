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
    Oid anchor_receipt;
    Oid tree_node;
    Oid cut;
    Oid audit_log;  // the view
    Oid watched;    // what entries about roles, grants and settings are told from
    // Beside the ledger: what a cut asks before it removes anything, and who is told of
    // checkpoints.
    Oid hold;
    Oid retention;
    Oid export_note;
    Oid request;
    Oid witness;
    Oid anchor;
};

// nullptr while the extension is not installed in this database. Needs a transaction.
const Oids *find();
// The same, or ERROR undefined_table.
const Oids &require();
// True for a ledger table, a partition of aegis.entry, the sequence, the view, aegis.watched, or a
// table beside the ledger.
bool contains(Oid relation);
// True for a table beside the ledger. Its rows change, by the functions of ledger_caller alone.
bool is_beside(Oid relation);
// The table of the ledger whose long values lie in this relation, or InvalidOid.
Oid toasted_by(Oid toast);

// Statements on ledger tables by our own code run inside own_change(); the guard lets them pass.
bool is_own_change();
// Within one of the functions that may change the tables beside the ledger.
bool is_own_writer();
namespace detail {
struct Open {
    bool own_change, writer;
};
extern Open open;
}  // namespace detail
template <typename Body>
void own_change(Body &&body) {
    bool before = detail::open.own_change;
    detail::open.own_change = true;
    PG_TRY();
    { body(); }
    PG_FINALLY();
    { detail::open.own_change = before; }
    PG_END_TRY();
}

void define();  // invalidation callbacks; called from ledger::define()

}  // namespace aegis::ledger_tables

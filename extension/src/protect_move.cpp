// SPDX-License-Identifier: Apache-2.0
// Rows that move: to another partition, and to another team, where their children follow them.
#include "protect_row.hpp"

#include "pg/function.hpp"
#include "team.hpp"

namespace aegis::protect {

namespace {

// An UPDATE that moves a row to another partition deletes it in the one, where its trigger has
// looked at the change, and inserts it in the other. The insert must not take it for a new row.
struct Move {
    Oid from;  // InvalidOid for none
    ItemPointerData row;
    Oid root;
    int64 team;
};

Move last_update = {};
// Transaction in which a row went to another partition and another team; its children follow.
TransactionId moved_team_in = InvalidTransactionId;

Oid top_of(Relation partition) {
    List *above = get_partition_ancestors(RelationGetRelid(partition));
    return above == NIL ? RelationGetRelid(partition) : llast_oid(above);
}

struct Children {
    int count;
    Oid *relations;
};

Children children_of(Oid parent) {
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(parent)};
    execute_as_owner(
        "SELECT p.relation::pg_catalog.oid FROM aegis.protected_table p JOIN pg_catalog.pg_class c "
        "ON c.oid OPERATOR(pg_catalog.=) p.relation WHERE p.parent::pg_catalog.oid "
        "OPERATOR(pg_catalog.=) $1",
        1, types, values, nullptr, true);
    Children children = {static_cast<int>(SPI_processed), nullptr};
    children.relations = static_cast<Oid *>(palloc(sizeof(Oid) * (SPI_processed + 1)));
    for (int i = 0; i < children.count; i++) {
        bool null;
        children.relations[i] =
            DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null));
    }
    return children;
}

// Moves the children of one row; each child's own trigger reads team and creator from its parent.
void move_children(Oid child, Oid parent, HeapTuple row, TupleDesc shape, const Place &place,
                   bool creator) {
    ParentLink link{};
    link.child = child;
    link.parent = parent;
    AttrNumber parent_columns[kMostKeys];
    const char *equal[kMostKeys];
    read_foreign_key(&link, parent_columns, equal);
    Oid types[kMostKeys + 2];
    Datum values[kMostKeys + 2];
    int count = link.count;
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, "UPDATE %s SET team_ord = $%d", qualified_name(child), count + 1);
    if (creator) appendStringInfo(&text, ", created_by = $%d", count + 2);
    appendStringInfo(&text, " WHERE (team_ord OPERATOR(pg_catalog.<>) $%d", count + 1);
    if (creator) appendStringInfo(&text, " OR created_by OPERATOR(pg_catalog.<>) $%d", count + 2);
    appendStringInfoString(&text, ")");
    bool null;
    for (int i = 0; i < count; i++) {
        types[i] = TupleDescAttr(shape, parent_columns[i] - 1)->atttypid;
        values[i] = heap_getattr(row, parent_columns[i], shape, &null);
        appendStringInfo(&text, " AND $%d %s %s", i + 1, equal[i],
                         quote_identifier(get_attname(child, link.child_columns[i], false)));
    }
    types[count] = INT8OID;
    values[count++] = heap_getattr(row, place.team, shape, &null);
    if (creator) {
        types[count] = UUIDOID;
        values[count++] = heap_getattr(row, place.creator, shape, &null);
    }
    SPIPlanPtr plan = SPI_prepare(text.data, count, types);
    if (plan == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not prepare the move of rows")));
    // Whose snapshot is older than a row that has to move is told to try again, as by foreign keys.
    Snapshot latest = InvalidSnapshot, own = InvalidSnapshot;
    if (IsolationUsesXactSnapshot()) {
        CommandCounterIncrement();
        latest = GetLatestSnapshot();
        own = GetTransactionSnapshot();
    }
    SPI_execute_snapshot(plan, values, nullptr, latest, own, false, true, 0);
}

}  // namespace

// A stronger lock than that of the update, which would let the foreign keys of added rows pass.
void hold_children(Relation parent, HeapTuple row) {
    if (!OidIsValid(get_trigger_oid(RelationGetRelid(parent), "aegis_follow", true))) return;
    TupleTableSlot *slot = table_slot_create(parent, nullptr);
    TM_FailureData failure;
    (void)table_tuple_lock(parent, &row->t_self, GetActiveSnapshot(), slot,
                           GetCurrentCommandId(true), LockTupleExclusive, LockWaitBlock, 0,
                           &failure);
    ExecDropSingleTupleTableSlot(slot);
}

void remember_update(Relation partition, HeapTuple before, const Place &place) {
    last_update = {RelationGetRelid(partition), before->t_self, top_of(partition), 0};
    bool null = true;
    if (place.team > 0)
        last_update.team =
            DatumGetInt64(heap_getattr(before, place.team, RelationGetDescr(partition), &null));
}

// The old version of the row says so itself: it was moved, and by this transaction. Each is used
// once.
bool takes_moved_row(Relation partition) {
    Move move = last_update;
    last_update.from = InvalidOid;
    if (!OidIsValid(move.from) || move.root != top_of(partition)) return false;
    Relation from = try_relation_open(move.from, AccessShareLock);
    if (from == nullptr) return false;
    HeapTupleData old{};
    old.t_self = move.row;
    Buffer buffer = InvalidBuffer;
    bool moved = from->rd_rel->relam == HEAP_TABLE_AM_OID &&
                 ItemPointerGetBlockNumber(&move.row) < RelationGetNumberOfBlocks(from) &&
                 heap_fetch(from, SnapshotAny, &old, &buffer, false);
    if (moved) {
        moved = HeapTupleHeaderIndicatesMovedPartitions(old.t_data) &&
                TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(old.t_data));
        ReleaseBuffer(buffer);
    }
    relation_close(from, AccessShareLock);
    return moved;
}

void note_team(HeapTuple row, TupleDesc shape, const Place &place) {
    if (place.team <= 0) return;
    bool null;
    Datum team = heap_getattr(row, place.team, shape, &null);
    if (!null && DatumGetInt64(team) != last_update.team)
        moved_team_in = GetTopTransactionIdIfAny();
}

}  // namespace aegis::protect

using namespace aegis;

AEGIS_FUNCTION(aegis_follow_parent) {
    const TriggerData *trigger = protect::trigger_data(fcinfo, true);
    bool update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
        !(update || TRIGGER_FIRED_BY_INSERT(trigger->tg_event)))
        ereport(ERROR,
                (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                 errmsg("follow_parent fires after UPDATE, and after INSERT of partitions")));
    // Then the children get their numbers like their parents.
    if (team::is_rewriting(RelationGetRelid(trigger->tg_relation))) return PointerGetDatum(nullptr);
    TupleDesc shape = RelationGetDescr(trigger->tg_relation);
    protect::Place place = protect::place_of(shape);
    HeapTuple row = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
    bool creator = update && protect::differs(trigger->tg_trigtuple, row, shape, place.creator);
    bool team = update ? protect::differs(trigger->tg_trigtuple, row, shape, place.team)
                       : protect::moved_team_in != InvalidTransactionId &&
                             protect::moved_team_in == GetTopTransactionIdIfAny();
    if (!team && !creator) return PointerGetDatum(nullptr);
    // Foreign keys name each partition as well, by its own numbers of columns.
    Oid parent = RelationGetRelid(trigger->tg_relation);
    SPI_connect();
    Oid root = protect::root_of(parent);
    // Of a table that inherits, those that name itself as well.
    for (Oid named : {root, parent == root ? InvalidOid : parent}) {
        protect::Children children = protect::children_of(named);
        for (int i = 0; i < children.count; i++)
            protect::move_children(children.relations[i], parent, row, shape, place, creator);
    }
    SPI_finish();
    return PointerGetDatum(nullptr);
}

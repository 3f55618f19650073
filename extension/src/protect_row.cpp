// SPDX-License-Identifier: Apache-2.0
// The triggers of protected tables: where a row belongs is the context's word, not the client's.
#include "protect.hpp"

#include "context.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "tenant_import.hpp"
#include "team.hpp"

namespace aegis::protect {

namespace {

constexpr int kMostKeys = 8;

// How a child row finds its parent: the columns of the foreign key that joins them.
struct ParentLink {
    Oid child;  // hash key
    Oid parent;
    int count;
    AttrNumber child_columns[kMostKeys];
    SPIPlanPtr read_parent;  // creator and team of the parent, by the child's key values
};

HTAB *links = nullptr;
bool stale = false;

void forget(Datum, Oid) {
    stale = true;
}

// The foreign key from child to parent; ERROR when there is none.
void read_foreign_key(ParentLink *link, AttrNumber *parent_columns) {
    Oid types[] = {OIDOID, OIDOID};
    Datum values[] = {ObjectIdGetDatum(link->child), ObjectIdGetDatum(link->parent)};
    SPI_execute_with_args(
        "SELECT k.mine, k.theirs FROM pg_catalog.pg_constraint c, "
        "unnest(c.conkey, c.confkey) AS k(mine, theirs) "
        // The oldest; that of a partition is as old as the one of its table that it is a clone of.
        "WHERE c.oid OPERATOR(pg_catalog.=) (SELECT f.oid FROM pg_catalog.pg_constraint f "
        "WHERE f.contype OPERATOR(pg_catalog.=) 'f' AND f.conrelid OPERATOR(pg_catalog.=) $1 "
        "AND f.confrelid OPERATOR(pg_catalog.=) $2 ORDER BY (WITH RECURSIVE up (oid, above) AS ("
        "SELECT f.oid, f.conparentid UNION ALL SELECT p.oid, p.conparentid FROM up "
        "JOIN pg_catalog.pg_constraint p ON p.oid OPERATOR(pg_catalog.=) up.above) "
        "SELECT pg_catalog.min(up.oid) FROM up WHERE up.above OPERATOR(pg_catalog.=) 0) LIMIT 1)",
        2, types, values, nullptr, true, kMostKeys);
    if (SPI_processed == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("table \"%s\" has no foreign key to its parent \"%s\"",
                               get_rel_name(link->child), get_rel_name(link->parent)),
                        errhint("Add a foreign key that leads with tenant_id.")));
    link->count = static_cast<int>(SPI_processed);
    for (int i = 0; i < link->count; i++) {
        bool null;
        link->child_columns[i] =
            DatumGetInt16(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null));
        parent_columns[i] =
            DatumGetInt16(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &null));
    }
}

void prepare(ParentLink *link) {
    AttrNumber parent_columns[kMostKeys];
    read_foreign_key(link, parent_columns);
    Oid types[kMostKeys];
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, "SELECT created_by, team_ord FROM %s WHERE ",
                     qualified_name(link->parent));
    for (int i = 0; i < link->count; i++) {
        types[i] = get_atttype(link->child, link->child_columns[i]);
        appendStringInfo(&text, "%s%s OPERATOR(pg_catalog.=) $%d", i ? " AND " : "",
                         quote_identifier(get_attname(link->parent, parent_columns[i], false)),
                         i + 1);
    }
    link->read_parent = SPI_prepare(text.data, link->count, types);
    if (link->read_parent == nullptr || SPI_keepplan(link->read_parent) != 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not prepare the look-up of a parent row")));
}

void drop_stale_links() {
    if (!stale || links == nullptr) {
        stale = false;
        return;
    }
    HASH_SEQ_STATUS walk;
    hash_seq_init(&walk, links);
    while (const ParentLink *link = static_cast<const ParentLink *>(hash_seq_search(&walk)))
        if (link->read_parent != nullptr) SPI_freeplan(link->read_parent);
    hash_destroy(links);
    links = nullptr;
    stale = false;
}

// Nullptr when rows of the table follow no parent. SPI must be connected.
const ParentLink *link_of(Oid child) {
    static bool registered = false;
    if (!registered) {
        pg::on_relation_change(forget);
        registered = true;
    }
    drop_stale_links();
    if (links == nullptr) {
        HASHCTL control = {};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(ParentLink);
        control.hcxt = TopMemoryContext;
        links = hash_create("aegis parents of protected rows", 32, &control,
                            HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }
    bool found;
    ParentLink *known = static_cast<ParentLink *>(hash_search(links, &child, HASH_FIND, &found));
    if (!found) {
        ParentLink fresh{};
        fresh.child = child;
        Protection protection{};
        if (find(child, &protection)) fresh.parent = protection.parent;
        if (OidIsValid(fresh.parent)) prepare(&fresh);
        known = static_cast<ParentLink *>(hash_search(links, &child, HASH_ENTER, &found));
        *known = fresh;
    }
    return OidIsValid(known->parent) ? known : nullptr;
}

// The three columns of a row; number 0 where the table lacks one.
struct Place {
    int tenant, creator, team;
};

Place place_of(TupleDesc shape) {
    Place place = {SPI_fnumber(shape, "tenant_id"), SPI_fnumber(shape, "created_by"),
                   SPI_fnumber(shape, "team_ord")};
    if (place.tenant <= 0 || TupleDescAttr(shape, place.tenant - 1)->atttypid != UUIDOID)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("table has no column tenant_id of type uuid")));
    if (place.creator > 0 && TupleDescAttr(shape, place.creator - 1)->atttypid != UUIDOID)
        place.creator = 0;
    if (place.team > 0 && TupleDescAttr(shape, place.team - 1)->atttypid != INT8OID) place.team = 0;
    return place;
}

struct Stamp {  // new values, collected and applied at once
    int count;
    int columns[3];
    Datum values[3];
    bool nulls[3];

    void set(int column, Datum value) {
        if (column <= 0) return;
        columns[count] = column;
        values[count] = value;
        nulls[count] = false;
        count++;
    }
};

bool differs(HeapTuple a, HeapTuple b, TupleDesc shape, int column) {
    if (column <= 0) return false;
    bool a_null, b_null;
    Datum x = heap_getattr(a, column, shape, &a_null), y = heap_getattr(b, column, shape, &b_null);
    if (a_null || b_null) return a_null != b_null;
    Form_pg_attribute attribute = TupleDescAttr(shape, column - 1);
    return !datumIsEqual(x, y, attribute->attbyval, attribute->attlen);
}

// Creator and team of the parent row. The caller's row security holds for the look-up: whoever does
// not see the parent cannot add to it.
void stamp_from_parent(const ParentLink &link, HeapTuple row, TupleDesc shape, const Place &place,
                       const pg_uuid_t *tenant, Stamp *stamp) {
    Datum keys[kMostKeys];
    for (int i = 0; i < link.count; i++) {
        bool null;
        keys[i] = heap_getattr(row, link.child_columns[i], shape, &null);
        if (link.child_columns[i] == place.tenant && tenant != nullptr)
            keys[i] = UUIDPGetDatum(tenant);
        else if (null)
            ereport(ERROR,
                    (errcode(ERRCODE_NOT_NULL_VIOLATION),
                     errmsg("column \"%s\" must name the parent row",
                            NameStr(TupleDescAttr(shape, link.child_columns[i] - 1)->attname))));
    }
    int result = SPI_execute_plan(link.read_parent, keys, nullptr, false, 1);
    if (result != SPI_OK_SELECT || SPI_processed != 1)
        ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("parent row does not exist"),
                        errdetail("There is no such row in \"%s\", or it is not visible.",
                                  get_rel_name(link.parent))));
    bool null;
    HeapTuple parent = SPI_tuptable->vals[0];
    pg_uuid_t *creator = static_cast<pg_uuid_t *>(SPI_palloc(sizeof(pg_uuid_t)));
    *creator = *DatumGetUUIDP(SPI_getbinval(parent, SPI_tuptable->tupdesc, 1, &null));
    stamp->set(place.creator, UUIDPGetDatum(creator));
    stamp->set(place.team, SPI_getbinval(parent, SPI_tuptable->tupdesc, 2, &null));
}

// Without a context only a session that bypasses row security gets here: a restore or a migration.
// Its values stay; what is missing is filled as for rows from before the protection.
void stamp_without_context(HeapTuple row, TupleDesc shape, const Place &place, Stamp *stamp) {
    static const pg_uuid_t nobody = {};
    if (place.creator > 0 && heap_attisnull(row, place.creator, shape))
        stamp->set(place.creator, UUIDPGetDatum(&nobody));
    if (place.team > 0 && heap_attisnull(row, place.team, shape))
        stamp->set(place.team, Int64GetDatum(1));
}

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

void stamp_insert(Relation table, HeapTuple row, TupleDesc shape, const Place &place,
                  Stamp *stamp) {
    const context::Context *context = context::current();
    if (context != nullptr) stamp->set(place.tenant, UUIDPGetDatum(&context->tenant));
    if (tenant_import::is_under_way()) return;  // rows come with their creators and teams
    int64 old_team = last_update.team;
    bool moved = table->rd_rel->relispartition && takes_moved_row(table);
    if (moved && team::is_rewriting(RelationGetRelid(table))) return;
    if (moved && place.team > 0) {
        bool null;
        Datum team = heap_getattr(row, place.team, shape, &null);
        if (!null && DatumGetInt64(team) != old_team) moved_team_in = GetTopTransactionIdIfAny();
    }
    const ParentLink *link = link_of(RelationGetRelid(table));
    if (link != nullptr) {
        stamp_from_parent(*link, row, shape, place, context ? &context->tenant : nullptr, stamp);
    } else if (moved) {
        // The update has been judged where the row was.
    } else if (context != nullptr) {
        stamp->set(place.creator, UUIDPGetDatum(&context->user));
        stamp->set(place.team, Int64GetDatum(context->team_ord));
    } else {
        stamp_without_context(row, shape, place, stamp);
    }
}

void refuse_change(const char *column) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("column \"%s\" cannot be changed", column)));
}

bool names_other_parent(const ParentLink &link, HeapTuple before, HeapTuple after,
                        TupleDesc shape) {
    for (int i = 0; i < link.count; i++)
        if (differs(before, after, shape, link.child_columns[i])) return true;
    return false;
}

void stamp_update(Relation table, HeapTuple before, HeapTuple after, TupleDesc shape,
                  const Place &place, Stamp *stamp) {
    if (table->rd_rel->relispartition) remember_update(table, before, place);
    if (differs(before, after, shape, place.tenant)) refuse_change("tenant_id");
    if (team::is_rewriting(RelationGetRelid(table))) return;
    const ParentLink *link = link_of(RelationGetRelid(table));
    bool moved = differs(before, after, shape, place.team);
    bool other_creator = differs(before, after, shape, place.creator);
    if (link != nullptr) {
        if (moved || other_creator || names_other_parent(*link, before, after, shape))
            stamp_from_parent(*link, after, shape, place, nullptr, stamp);
        return;
    }
    if (other_creator) refuse_change("created_by");
    // The policy bounds where to; this bounds who.
    const context::Context *context = context::current();
    if (moved && context != nullptr && context->rank < context::kRankTeamLead)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only a team lead or above may move a row to another team")));
}

TriggerData *trigger_data(FunctionCallInfo fcinfo, bool row) {
    if (!CALLED_AS_TRIGGER(fcinfo) ||
        (TRIGGER_FIRED_FOR_ROW(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_event) != 0) !=
            row)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("not called as its trigger")));
    return reinterpret_cast<TriggerData *>(fcinfo->context);
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

// Moves the children of one row; each child's own trigger reads the team from its parent.
void move_children(Oid child, Oid parent, HeapTuple row, TupleDesc shape, int team) {
    ParentLink link{};
    link.child = child;
    link.parent = parent;
    AttrNumber parent_columns[kMostKeys];
    read_foreign_key(&link, parent_columns);
    Oid types[kMostKeys + 1];
    Datum values[kMostKeys + 1];
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text,
                     "UPDATE %s SET team_ord = $%d WHERE team_ord OPERATOR(pg_catalog.<>) $%d "
                     "AND ",
                     qualified_name(child), link.count + 1, link.count + 1);
    bool null;
    for (int i = 0; i < link.count; i++) {
        types[i] = TupleDescAttr(shape, parent_columns[i] - 1)->atttypid;
        values[i] = heap_getattr(row, parent_columns[i], shape, &null);
        appendStringInfo(&text, "%s%s OPERATOR(pg_catalog.=) $%d", i ? " AND " : "",
                         quote_identifier(get_attname(child, link.child_columns[i], false)), i + 1);
    }
    types[link.count] = INT8OID;
    values[link.count] = heap_getattr(row, team, shape, &null);
    SPI_execute_with_args(text.data, link.count + 1, types, values, nullptr, false, 0);
}

}  // namespace

}  // namespace aegis::protect

using namespace aegis;

AEGIS_FUNCTION(aegis_stamp_row) {
    const TriggerData *trigger = protect::trigger_data(fcinfo, true);
    if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("stamp_row fires before INSERT and UPDATE")));
    TupleDesc shape = RelationGetDescr(trigger->tg_relation);
    protect::Place place = protect::place_of(shape);
    protect::Stamp stamp{};
    bool update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    HeapTuple row = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    if (update)
        protect::stamp_update(trigger->tg_relation, trigger->tg_trigtuple, row, shape, place,
                              &stamp);
    else
        protect::stamp_insert(trigger->tg_relation, row, shape, place, &stamp);
    MemoryContext spi = MemoryContextSwitchTo(caller);
    if (stamp.count > 0)
        row = heap_modify_tuple_by_cols(row, shape, stamp.count, stamp.columns, stamp.values,
                                        stamp.nulls);
    MemoryContextSwitchTo(spi);
    SPI_finish();
    return PointerGetDatum(row);
}

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
    if (update ? !protect::differs(trigger->tg_trigtuple, trigger->tg_newtuple, shape, place.team)
               : protect::moved_team_in == InvalidTransactionId ||
                     protect::moved_team_in != GetTopTransactionIdIfAny())
        return PointerGetDatum(nullptr);
    // Foreign keys name each partition as well, by its own numbers of columns.
    Oid parent = RelationGetRelid(trigger->tg_relation);
    SPI_connect();
    protect::Children children = protect::children_of(protect::root_of(parent));
    for (int i = 0; i < children.count; i++)
        protect::move_children(children.relations[i], parent,
                               update ? trigger->tg_newtuple : trigger->tg_trigtuple, shape,
                               place.team);
    SPI_finish();
    return PointerGetDatum(nullptr);
}

AEGIS_FUNCTION(aegis_refuse_truncate) {
    const TriggerData *trigger = protect::trigger_data(fcinfo, false);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                    errmsg("table \"%s\" cannot be truncated",
                           RelationGetRelationName(trigger->tg_relation)),
                    errdetail("TRUNCATE knows no tenant."), errhint("Use DELETE.")));
    PG_RETURN_NULL();
}

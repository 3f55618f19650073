// SPDX-License-Identifier: Apache-2.0
// The triggers of protected tables: where a row belongs is the context's word, not the client's.
#include "protect_row.hpp"

#include "context.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"
#include "tenant_import.hpp"
#include "team.hpp"

namespace aegis::protect {

namespace {

HTAB *links = nullptr;
bool stale = false;
Oid looked_at = InvalidOid;

void forget(Datum, Oid) {
    stale = true;
}

SPIPlanPtr keep_plan(const char *text, int count, Oid *types) {
    SPIPlanPtr plan = SPI_prepare(text, count, types);
    if (plan == nullptr || SPI_keepplan(plan) != 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not prepare the look-up of a parent row")));
    return plan;
}

Oid owner_of(Oid relation) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return InvalidOid;
    Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

// As foreign keys do: who may add a row need not have the right to lock the one it belongs to.
pg::Identity become_past_rows(Oid owner) {
    pg::Identity before;
    GetUserIdAndSecContext(&before.user, &before.security);
    SetUserIdAndSecContext(owner,
                           before.security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
    return before;
}

void prepare(ParentLink *link) {
    AttrNumber parent_columns[kMostKeys];
    const char *equal[kMostKeys];
    read_foreign_key(link, parent_columns, equal);
    Oid types[kMostKeys];
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, "SELECT created_by, team_ord FROM %s WHERE ",
                     qualified_name(link->parent));
    for (int i = 0; i < link->count; i++) {
        types[i] = get_atttype(link->child, link->child_columns[i]);
        appendStringInfo(&text, "%s%s %s $%d", i ? " AND " : "",
                         quote_identifier(get_attname(link->parent, parent_columns[i], false)),
                         equal[i], i + 1);
    }
    link->read_parent = keep_plan(text.data, link->count, types);
    link->parent_owner = owner_of(link->parent);
    appendStringInfoString(&text, " FOR KEY SHARE");
    pg::Identity before = become_past_rows(link->parent_owner);
    link->hold_parent = keep_plan(text.data, link->count, types);
    pg::resume(before);
}

void drop_stale_links() {
    if (!stale || links == nullptr) {
        stale = false;
        return;
    }
    HASH_SEQ_STATUS walk;
    hash_seq_init(&walk, links);
    while (const ParentLink *link = static_cast<const ParentLink *>(hash_seq_search(&walk)))
        for (SPIPlanPtr plan : {link->read_parent, link->hold_parent})
            if (plan != nullptr) SPI_freeplan(plan);
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

// Creator and team of the parent row. The caller's row security holds for the look-up: whoever does
// not see the parent cannot add to it. What a foreign key does to rows of a superuser's table it
// does as the superuser: then the key alone says which row that is.
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
    int result = 0;
    looked_at = link.parent;
    PG_TRY();
    { result = SPI_execute_plan(link.read_parent, keys, nullptr, false, 1); }
    PG_FINALLY();
    { looked_at = InvalidOid; }
    PG_END_TRY();
    bool visible = result == SPI_OK_SELECT && SPI_processed == 1;
    if (visible) {
        // It may be moving to another team just now, and this row is to go with it.
        pg::Identity before = become_past_rows(link.parent_owner);
        SPI_execute_plan(link.hold_parent, keys, nullptr, false, 1);
        pg::resume(before);
    }
    if (!visible || SPI_processed != 1)
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

void stamp_insert(Relation table, HeapTuple row, TupleDesc shape, const Place &place,
                  Stamp *stamp) {
    const context::Context *context = context::current();
    if (context != nullptr) stamp->set(place.tenant, UUIDPGetDatum(&context->tenant));
    if (tenant_import::is_under_way()) return;  // rows come with their creators and teams
    bool moved = table->rd_rel->relispartition && takes_moved_row(table);
    if (moved && team::is_rewriting(RelationGetRelid(table))) return;
    if (moved) note_team(row, shape, place);
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
        if (!moved && !other_creator && !names_other_parent(*link, before, after, shape)) return;
        hold_children(table, before);
        stamp_from_parent(*link, after, shape, place, nullptr, stamp);
        return;
    }
    if (other_creator) refuse_change("created_by");
    // The policy bounds where to; this bounds who.
    const context::Context *context = context::current();
    if (moved && context != nullptr && context->rank < context::kRankTeamLead)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only a team lead or above may move a row to another team")));
    if (moved) hold_children(table, before);
}

}  // namespace

bool is_looked_at(Oid relation) {
    return OidIsValid(looked_at) && relation == looked_at;
}

void read_foreign_key(ParentLink *link, AttrNumber *parent_columns, const char **equal) {
    if (get_rel_name(link->parent) == nullptr)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                        errmsg("parent table of \"%s\" was dropped", get_rel_name(link->child)),
                        errdetail("Its rows take creator and team from there."),
                        errhint("Call aegis.protect_table() for it again, with another parent or "
                                "without one.")));
    Oid types[] = {OIDOID, OIDOID};
    Datum values[] = {ObjectIdGetDatum(link->child), ObjectIdGetDatum(link->parent)};
    SPI_execute_with_args(
        "SELECT k.mine, k.theirs, pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) "
        "FROM pg_catalog.pg_constraint c, "
        "unnest(c.conkey, c.confkey, c.conpfeqop) AS k(mine, theirs, equal) "
        "JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) k.equal "
        "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace "
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
        equal[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3);
    }
}

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

bool differs(HeapTuple a, HeapTuple b, TupleDesc shape, int column) {
    if (column <= 0) return false;
    bool a_null, b_null;
    Datum x = heap_getattr(a, column, shape, &a_null), y = heap_getattr(b, column, shape, &b_null);
    if (a_null || b_null) return a_null != b_null;
    Form_pg_attribute attribute = TupleDescAttr(shape, column - 1);
    return !datumIsEqual(x, y, attribute->attbyval, attribute->attlen);
}

TriggerData *trigger_data(FunctionCallInfo fcinfo, bool row) {
    if (!CALLED_AS_TRIGGER(fcinfo) ||
        (TRIGGER_FIRED_FOR_ROW(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_event) != 0) !=
            row)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("not called as its trigger")));
    return reinterpret_cast<TriggerData *>(fcinfo->context);
}

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

AEGIS_FUNCTION(aegis_refuse_truncate) {
    const TriggerData *trigger = protect::trigger_data(fcinfo, false);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                    errmsg("table \"%s\" cannot be truncated",
                           RelationGetRelationName(trigger->tg_relation)),
                    errdetail("TRUNCATE knows no tenant."), errhint("Use DELETE.")));
    PG_RETURN_NULL();
}

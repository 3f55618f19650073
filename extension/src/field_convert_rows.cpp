// SPDX-License-Identifier: Apache-2.0
// Twins for the rows that are there. What is left to do is read from the rows themselves, so an
// interrupted conversion needs no place to go on from.
#include "field_convert.hpp"
#include "field_twin.hpp"

#include "job_table.hpp"
#include "key_root.hpp"
#include "pg/function.hpp"

namespace aegis::field::convert {

namespace {

struct Work {
    Relation relation;
    Pair pair;
    const Field *field;
    EState *estate;
    ResultRelInfo *target;
    TupleTableSlot *found, *locked, *changed;
    Snapshot snapshot;
    Tally tally;
};

void store(Work *work, HeapTuple row) {
    TupleTableSlot *slot = work->changed;
    int columns = slot->tts_tupleDescriptor->natts;
    slot_getallattrs(work->locked);
    ExecClearTuple(slot);
    memcpy(slot->tts_values, work->locked->tts_values, sizeof(Datum) * columns);
    memcpy(slot->tts_isnull, work->locked->tts_isnull, sizeof(bool) * columns);
    slot->tts_values[work->pair.twin - 1] =
        make_twin(work->pair, *work->field, slot->tts_tupleDescriptor, row,
                  &slot->tts_isnull[work->pair.twin - 1]);
    ExecStoreVirtualTuple(slot);
    bool update_indexes = false;
    simple_table_tuple_update(work->relation, &work->locked->tts_tid, slot, work->snapshot,
                              &update_indexes);
    if (update_indexes)
        list_free(
            ExecInsertIndexTuples(work->target, slot, work->estate, true, false, nullptr, NIL));
    work->tally.twins++;
}

// The row of a slot that a scan or a lock filled.
HeapTuple row_of(TupleTableSlot *slot) {
    bool copied = false;
    return ExecFetchSlotHeapTuple(slot, false, &copied);
}

void visit(Work *work) {
    TupleDesc shape = RelationGetDescr(work->relation);
    HeapTuple row = row_of(work->found);
    if (is_true_twin(work->pair, *work->field, shape, row)) return;
    // As everybody's writes, it waits for a search key that is being rotated.
    if (is_held_back(work->pair, *work->field, shape, row)) {
        work->tally.passed_by++;
        return;
    }
    TM_FailureData failure;
    switch (table_tuple_lock(work->relation, &work->found->tts_tid, work->snapshot, work->locked,
                             GetCurrentCommandId(true), LockTupleNoKeyExclusive, LockWaitSkip, 0,
                             &failure)) {
        case TM_Ok:
            store(work, row_of(work->locked));
            break;
        case TM_WouldBlock:
            work->tally.passed_by++;
            break;
        default:  // a newer version, which its writer's trigger gave a twin, or none any more
            break;
    }
}

}  // namespace

Tally convert_pages(Oid relation, uint32_t reference, BlockNumber from, BlockNumber to) {
    Work work{};
    work.relation = table_open(relation, RowExclusiveLock);
    TupleDesc shape = RelationGetDescr(work.relation);
    work.field = find(reference);
    if (work.field == nullptr || !find_pair(shape, reference, &work.pair))
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("constraints that tie the converted column of table \"%s\" to its twin are "
                        "gone",
                        RelationGetRelationName(work.relation)),
                 errhint("Call aegis.undo_conversion() for the column, then begin again.")));
    // Expressions of other indexes are the owner's, and get no rights of whoever converts.
    job::AsOwner entered = job::enter_table(relation, false);
    work.snapshot = RegisterSnapshot(GetLatestSnapshot());
    work.estate = CreateExecutorState();
    work.target = makeNode(ResultRelInfo);
    InitResultRelInfo(work.target, work.relation, 0, nullptr, 0);
    ExecOpenIndices(work.target, false);
    work.found = table_slot_create(work.relation, &work.estate->es_tupleTable);
    work.locked = table_slot_create(work.relation, &work.estate->es_tupleTable);
    work.changed = ExecInitExtraTupleSlot(work.estate, shape, table_slot_callbacks(work.relation));

    MemoryContext each_row =
        AllocSetContextCreate(CurrentMemoryContext, "aegis conversion row", ALLOCSET_DEFAULT_SIZES);
    ItemPointerData first, last;
    ItemPointerSet(&first, from, 1);
    ItemPointerSet(&last, to - 1, MaxOffsetNumber);
    TableScanDesc scan = table_beginscan_tidrange(work.relation, work.snapshot, &first, &last);
    while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, work.found)) {
        CHECK_FOR_INTERRUPTS();
        MemoryContext caller = MemoryContextSwitchTo(each_row);
        visit(&work);
        MemoryContextSwitchTo(caller);
        ExecClearTuple(work.changed);
        MemoryContextReset(each_row);
        ResetPerTupleExprContext(work.estate);
    }
    table_endscan(scan);
    MemoryContextDelete(each_row);
    ExecCloseIndices(work.target);
    ExecResetTupleTable(work.estate->es_tupleTable, false);
    FreeExecutorState(work.estate);
    UnregisterSnapshot(work.snapshot);
    job::leave_table(entered);
    table_close(work.relation, NoLock);
    return work.tally;
}

namespace {

struct Unfit {  // rows that could not be sealed
    int64 without_tenant, without_subject, without_key, malformed, too_long;
};

struct Tenant {
    pg_uuid_t id;
    bool has_key;
};

bool has_key(HTAB *tenants, const pg_uuid_t &id) {
    bool found = false;
    Tenant *tenant = static_cast<Tenant *>(hash_search(tenants, &id, HASH_ENTER, &found));
    if (!found) tenant->has_key = key::newest_epoch(id, key::RootKind::root) != 0;
    return tenant->has_key;
}

void look_at(core::ByteView plain, const sealed::Type &type, Unfit *unfit) {
    if (type.reference == 0) return;
    if (plain.size > sealed::kMaxSearchableBytes) {
        unfit->too_long++;
        return;
    }
    core::ByteSpan normal;
    normal.size = core::normalised_capacity(type.kind->normaliser, plain.size);
    normal.data = static_cast<uint8_t *>(palloc(normal.size + 1));
    if (pg::run([&] { core::normalise(type.kind->normaliser, plain, normal); }).failed)
        unfit->malformed++;
    sealed::discard(normal);
}

void look_through(Oid oid, const char *column, const char *subject, const sealed::Type &type,
                  HTAB *tenants, Unfit *unfit, List **same) {
    Relation relation = table_open(oid, AccessShareLock);
    AttrNumber number = get_attnum(oid, column), tenant_number = get_attnum(oid, "tenant_id");
    AttrNumber subject_number = subject != nullptr ? get_attnum(oid, subject) : 0;
    Oid source_type = get_atttype(oid, number);
    if (number == InvalidAttrNumber || !has_plaintext(type, source_type) ||
        tenant_number == InvalidAttrNumber || get_atttype(oid, tenant_number) != UUIDOID) {
        table_close(relation, AccessShareLock);
        return;
    }
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    TableScanDesc scan = table_beginscan(relation, snapshot, 0, nullptr);
    MemoryContext each_row =
        AllocSetContextCreate(CurrentMemoryContext, "aegis rows to seal", ALLOCSET_DEFAULT_SIZES);
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        bool is_null = false, tenant_null = false;
        Datum value = slot_getattr(slot, number, &is_null);
        if (is_null) continue;
        Datum tenant = slot_getattr(slot, tenant_number, &tenant_null);
        MemoryContext caller = MemoryContextSwitchTo(each_row);
        if (tenant_null)
            unfit->without_tenant++;
        else if (subject_number > 0 && slot_attisnull(slot, subject_number))
            unfit->without_subject++;
        else if (!has_key(tenants, *DatumGetUUIDP(tenant)))
            unfit->without_key++;
        else
            look_at(plaintext_of(type, value, source_type), type, unfit);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(each_row);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    UnregisterSnapshot(snapshot);
    MemoryContextDelete(each_row);
    *same = list_concat(*same, same_once_sealed(relation, number, type));
    table_close(relation, AccessShareLock);
}

// A problem ends with the number.
void put(const ReturnSetInfo *result, int64 count, const char *problem, const char *fix) {
    if (count == 0) return;
    Datum values[] = {CStringGetTextDatum(psprintf("%s: " INT64_FORMAT, problem, count)),
                      CStringGetTextDatum(fix)};
    bool nulls[] = {false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void put_same(const ReturnSetInfo *result, const List *same, const sealed::Type &type,
              const char *column, const char *table) {
    ListCell *cell;
    foreach (cell, same) {
        const Same *found = static_cast<const Same *>(lfirst(cell));
        put(result, found->rows,
            psprintf("values that are the same as another's once sealed, in unique index \"%s\"",
                     found->index),
            psprintf("SELECT tenant_id, %s, count(*) FROM %s GROUP BY 1, 2 HAVING count(*) > 1; -- "
                     "keep one of each",
                     same_expression(type, column), table));
    }
}

}  // namespace

}  // namespace aegis::field::convert

// Counts what a conversion would stumble over, past row security; says nothing of the values.
AEGIS_FUNCTION(aegis_unsealable_rows) {
    using namespace aegis::field;
    using namespace aegis::field::convert;
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("table and column must not be null")));
    Oid table = PG_GETARG_OID(0);
    const char *column = NameStr(*PG_GETARG_NAME(1));
    const aegis::sealed::Type *type =
        PG_ARGISNULL(2) ? nullptr : aegis::sealed::find_type(PG_GETARG_OID(2));
    const char *subject = PG_ARGISNULL(3) ? nullptr : NameStr(*PG_GETARG_NAME(3));
    if (!pg_class_ownercheck(table, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(table));
    InitMaterializedSRF(fcinfo, 0);
    if (type == nullptr) return static_cast<Datum>(0);
    HASHCTL control{};
    control.keysize = sizeof(pg_uuid_t);
    control.entrysize = sizeof(Tenant);
    control.hcxt = CurrentMemoryContext;
    HTAB *tenants = hash_create("aegis tenants of a table", 64, &control,
                                HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    Unfit unfit{};
    List *same = NIL;
    ListCell *cell;
    foreach (cell, find_all_inheritors(table, AccessShareLock, nullptr))
        if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
            look_through(lfirst_oid(cell), column, subject, *type, tenants, &unfit, &same);
    hash_destroy(tenants);
    const ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const char *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                                  get_rel_name(table));
    const char *quoted = quote_identifier(column);
    put(result, unfit.without_tenant, "rows with a value and without a tenant",
        psprintf("UPDATE %s SET tenant_id = ... WHERE tenant_id IS NULL AND %s IS NOT NULL;", name,
                 quoted));
    put(result, unfit.without_subject, "rows with a value that name no data subject",
        psprintf("UPDATE %s SET %s = NULL WHERE %s IS NULL;", name, quoted,
                 subject != nullptr ? quote_identifier(subject) : "..."));
    put(result, unfit.without_key, "rows of tenants that have no key",
        psprintf("DELETE FROM %s WHERE tenant_id NOT IN (SELECT id FROM aegis.tenant);", name));
    put(result, unfit.malformed,
        psprintf("values that are not well formed for %s", format_type_be(PG_GETARG_OID(2))),
        psprintf("UPDATE %s SET %s = NULL WHERE ...; -- or choose aegis.sealed_text", name,
                 quoted));
    put(result, unfit.too_long, "values that are too long to be searchable",
        psprintf("UPDATE %s SET %s = left(%s, 250) WHERE octet_length(%s) > 1000; -- or choose "
                 "aegis.sealed_text",
                 name, quoted, quoted, quoted));
    put_same(result, same, *type, quoted, name);
    return static_cast<Datum>(0);
}

// SPDX-License-Identifier: Apache-2.0
// Values that differ and are one to search, like "Ann@example.com" and "ann@example.com". A unique
// index would meet them when it is built again, after all rows are done; so they are counted before
// anything is changed. Hashes are sorted: no value is shown or kept.
#include "core/normalise.hpp"
#include "field_convert.hpp"
#include "field_twin.hpp"

#include "job_table.hpp"
#include "pg/function.hpp"

namespace aegis::field::convert {

namespace {

struct Look {  // through a table, for one index
    const sealed::Type *type;
    AttrNumber column, tenant;
    Oid plain;  // type of the column
    Relation index;
    IndexInfo *info;
    FmgrInfo hashes[INDEX_MAX_KEYS];
    uint64 seeds[2];  // by chance: nobody can look for two values with one hash
    StringInfoData key;
};

// Whether the index is built again for the sealed values and compares them. Those with expressions
// or of another kind are refused anyway.
bool prepare(Look *look, TupleDesc shape) {
    const IndexInfo *info = look->info;
    bool holds_column = false;
    if (!info->ii_Unique || info->ii_Expressions != NIL || info->ii_ExclusionOps != nullptr)
        return false;
    for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++) {
        AttrNumber number = info->ii_IndexAttrNumbers[i];
        if (number == look->column) {
            holds_column = true;
            continue;
        }
        TypeCacheEntry *cache = lookup_type_cache(TupleDescAttr(shape, number - 1)->atttypid,
                                                  TYPECACHE_HASH_EXTENDED_PROC);
        if (!OidIsValid(cache->hash_extended_proc)) return false;
        fmgr_info(cache->hash_extended_proc, &look->hashes[i]);
    }
    look->seeds[0] = pg_prng_uint64(&pg_global_prng_state);
    look->seeds[1] = pg_prng_uint64(&pg_global_prng_state);
    initStringInfo(&look->key);
    return holds_column;
}

// What the index compares beside the column. False for a row that is the same as no other.
bool add_parts(Look *look, TupleTableSlot *slot) {
    const IndexInfo *info = look->info;
    for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++) {
        AttrNumber number = info->ii_IndexAttrNumbers[i];
        if (number == look->column) continue;
        bool is_null = false;
        Datum part = slot_getattr(slot, number, &is_null);
        if (is_null && !info->ii_NullsNotDistinct) return false;
        uint64 hash = 0;
        if (!is_null)
            hash =
                DatumGetUInt64(FunctionCall2Coll(&look->hashes[i], look->index->rd_indcollation[i],
                                                 part, UInt64GetDatum(look->seeds[0])));
        appendBinaryStringInfo(&look->key, reinterpret_cast<const char *>(&is_null),
                               sizeof is_null);
        appendBinaryStringInfo(&look->key, reinterpret_cast<const char *>(&hash), sizeof hash);
    }
    return true;
}

// False for a value that cannot be sealed, which is a finding of its own.
bool add_normalised(Look *look, Datum value) {
    core::ByteView plain = plaintext_of(*look->type, value, look->plain);
    if (plain.size > sealed::kMaxSearchableBytes) return false;
    core::Normaliser how = look->type->kind->normaliser;
    core::ByteSpan normal;
    normal.size = core::normalised_capacity(how, plain.size);
    normal.data = static_cast<uint8_t *>(palloc(normal.size + 1));
    size_t size = 0;
    bool good = !pg::run([&] { size = core::normalise(how, plain, normal); }).failed;
    if (good)
        appendBinaryStringInfo(&look->key, reinterpret_cast<const char *>(normal.data),
                               static_cast<int>(size));
    sealed::discard(normal);
    return good;
}

// A token is of one tenant: what is the same in two tenants is not the same once it is sealed.
bool make_key(Look *look, TupleTableSlot *slot, pg_uuid_t *out) {
    bool is_null = false, tenant_null = false;
    Datum value = slot_getattr(slot, look->column, &is_null);
    Datum tenant = slot_getattr(slot, look->tenant, &tenant_null);
    if (is_null || tenant_null) return false;
    resetStringInfo(&look->key);
    appendBinaryStringInfo(&look->key, reinterpret_cast<const char *>(DatumGetUUIDP(tenant)),
                           UUID_LEN);
    if (!add_parts(look, slot) || !add_normalised(look, value)) return false;
    uint64 digest[2];
    for (int i = 0; i < 2; i++)
        digest[i] = hash_bytes_extended(reinterpret_cast<const unsigned char *>(look->key.data),
                                        look->key.len, look->seeds[i]);
    memcpy(out->data, digest, UUID_LEN);
    core::wipe({reinterpret_cast<uint8_t *>(look->key.data), static_cast<size_t>(look->key.len)});
    return true;
}

void sort_keys(Look *look, Relation relation, Tuplesortstate *sort) {
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    EState *estate = CreateExecutorState();
    ExprContext *context = GetPerTupleExprContext(estate);
    ExprState *predicate = ExecPrepareQual(look->info->ii_Predicate, estate);
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    context->ecxt_scantuple = slot;
    TableScanDesc scan = table_beginscan(relation, snapshot, 0, nullptr);
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        MemoryContext caller = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
        pg_uuid_t key;
        if (ExecQual(predicate, context) && make_key(look, slot, &key))
            tuplesort_putdatum(sort, UUIDPGetDatum(&key), false);
        MemoryContextSwitchTo(caller);
        ResetExprContext(context);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    FreeExecutorState(estate);
    UnregisterSnapshot(snapshot);
}

int64 count_same(Look *look, Relation relation) {
    Oid less = lookup_type_cache(UUIDOID, TYPECACHE_LT_OPR)->lt_opr;
    Tuplesortstate *sort = tuplesort_begin_datum(UUIDOID, less, InvalidOid, false,
                                                 maintenance_work_mem, nullptr, TUPLESORT_NONE);
    sort_keys(look, relation, sort);
    tuplesort_performsort(sort);
    pg_uuid_t last{};
    bool is_first = true;
    int64 same = 0;
    Datum next = 0;
    while (pg::next_sorted(sort, &next)) {
        CHECK_FOR_INTERRUPTS();
        const pg_uuid_t *key = DatumGetUUIDP(next);
        same += !is_first && memcmp(key, &last, sizeof last) == 0;
        last = *key;
        is_first = false;
        pfree(DatumGetPointer(next));
    }
    tuplesort_end(sort);
    return same;
}

}  // namespace

List *same_once_sealed(Relation relation, AttrNumber column, const sealed::Type &type) {
    if (type.reference == 0) return NIL;
    TupleDesc shape = RelationGetDescr(relation);
    List *found = NIL;
    // A predicate is the owner's, and gets no rights of whoever asks.
    job::AsOwner entered = job::enter_table(RelationGetRelid(relation), false);
    List *indexes = RelationGetIndexList(relation);
    ListCell *cell;
    foreach (cell, indexes) {
        Look look{};
        look.type = &type;
        look.column = column;
        look.tenant = get_attnum(RelationGetRelid(relation), "tenant_id");
        look.plain = TupleDescAttr(shape, column - 1)->atttypid;
        look.index = index_open(lfirst_oid(cell), AccessShareLock);
        look.info = BuildIndexInfo(look.index);
        int64 rows = prepare(&look, shape) ? count_same(&look, relation) : 0;
        if (rows > 0) {
            Same *same = static_cast<Same *>(palloc(sizeof(Same)));
            *same = {pstrdup(RelationGetRelationName(look.index)), rows};
            found = lappend(found, same);
        }
        index_close(look.index, AccessShareLock);
    }
    list_free(indexes);
    job::leave_table(entered);
    return found;
}

const char *same_expression(const sealed::Type &type, const char *column) {
    switch (type.kind->normaliser) {
        case core::Normaliser::email:
            return psprintf("lower(btrim(%s))", column);
        case core::Normaliser::keyword:
            return psprintf("normalize(%s, NFC)", column);
        case core::Normaliser::caseless:
            return psprintf("lower(btrim(normalize(%s, NFKC)))", column);
        case core::Normaliser::phone:
            return psprintf("regexp_replace(%s, '[^0-9]', '', 'g')", column);
        case core::Normaliser::alnum:
            return psprintf("upper(regexp_replace(%s, '[^0-9A-Za-z]', '', 'g'))", column);
        case core::Normaliser::exact:
        case core::Normaliser::none:
            break;
    }
    return column;
}

}  // namespace aegis::field::convert

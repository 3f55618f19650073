// SPDX-License-Identifier: Apache-2.0
// What the report of coverage cannot ask in SQL: settings that only superusers see, and what shape
// the values of a column have, past row security and without letting one out. Both functions are
// granted to nobody; aegis.coverage() calls them as their owner.
#include "core/personal.hpp"

#include "coverage.hpp"

#include "guc.hpp"
#include "pg/compat.hpp"
#include "pg/function.hpp"
#include "worker.hpp"

namespace aegis::coverage {

// The first look is one interval after the start: a migration that restarts the server has ended.
void tend() {
    static int64_t last_micros = worker::now_micros();
    if (guc::coverage_interval_seconds == 0 || guc::restore_mode || RecoveryInProgress()) return;
    int64_t now = worker::now_micros();
    if (now - last_micros < guc::coverage_interval_seconds * INT64CONST(1000000)) return;
    if (SPI_connect() != SPI_OK_CONNECT ||
        SPI_execute("SELECT aegis.record_audit_coverage()", false, 0) < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not record what the ledger covers")));
    SPI_finish();
    last_micros = now;
}

}  // namespace aegis::coverage

namespace {

using aegis::core::PersonalShape;

constexpr int kRowsPerValue = 20;  // rows looked at for each value wanted: columns may be empty

bool is_text(Oid type) {
    return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

// Counts shapes in the first values of a column, by the number of the shape; 0 counts all.
void count_shapes(Relation table, AttrNumber number, int wanted, int32 *counts) {
    TupleTableSlot *slot = table_slot_create(table, nullptr);
    TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
    for (int64 left = static_cast<int64>(wanted) * kRowsPerValue; left > 0 && counts[0] < wanted;
         left--) {
        if (!table_scan_getnextslot(scan, ForwardScanDirection, slot)) break;
        bool null;
        Datum value = slot_getattr(slot, number, &null);
        if (null) continue;
        // A long value has none of the shapes; what lies out of line is long.
        const struct varlena *stored = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
        counts[0]++;
        if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored)) continue;
        PersonalShape found = aegis::core::personal_shape(
            {VARDATA_ANY(stored), static_cast<size_t>(VARSIZE_ANY_EXHDR(stored))});
        if (found != PersonalShape::none) counts[static_cast<int>(found)]++;
        CHECK_FOR_INTERRUPTS();
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
}

}  // namespace

AEGIS_FUNCTION(aegis_coverage_setting) {
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    if (strcmp(name, "minimum_version_num") == 0)
        PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d", aegis::pg::kMinimumServerVersion)));
    const char *value = GetConfigOption(name, true, false);
    if (value == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(value));
}

AEGIS_FUNCTION(aegis_coverage_sample) {
    Oid relation = PG_GETARG_OID(0);
    AttrNumber number = PG_GETARG_INT16(1);
    int wanted = PG_GETARG_INT32(2);
    int32 counts[5] = {};
    // A report does not wait for a migration: a table that is locked is looked at the next time.
    if (ConditionalLockRelationOid(relation, AccessShareLock)) {
        Relation table = try_relation_open(relation, NoLock);
        if (table != nullptr) {
            TupleDesc shape = RelationGetDescr(table);
            if (table->rd_rel->relkind == RELKIND_RELATION && number > 0 &&
                number <= shape->natts && is_text(TupleDescAttr(shape, number - 1)->atttypid) &&
                !TupleDescAttr(shape, number - 1)->attisdropped)
                count_shapes(table, number, wanted, counts);
            relation_close(table, NoLock);
        }
        UnlockRelationOid(relation, AccessShareLock);
    }
    TupleDesc row;
    if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("function must return a row")));
    Datum values[5];
    bool nulls[5] = {};
    for (int i = 0; i < 5; i++) values[i] = Int32GetDatum(counts[i]);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls)));
}

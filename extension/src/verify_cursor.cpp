// SPDX-License-Identifier: Apache-2.0
#include "verify_cursor.hpp"

#include "pg/function.hpp"

namespace aegis::verify {

namespace {

constexpr int kFetch = 500;

}  // namespace

bool copy_digest(Datum value, bool is_null, core::Digest *out) {
    if (is_null) return false;
    core::ByteView bytes = pg::varlena_view(value);
    if (bytes.size != core::kDigestBytes) return false;
    memcpy(out->bytes, bytes.data, bytes.size);
    return true;
}

const int64 *numbers_of(Datum value, int *count) {
    ArrayType *array = DatumGetArrayTypeP(value);
    *count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    if (!ARR_HASNULL(array)) return reinterpret_cast<int64 *>(ARR_DATA_PTR(array));
    Datum *values;
    bool *nulls;
    int all;
    deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values,
                      &nulls, &all);
    int64 *numbers = static_cast<int64 *>(palloc(sizeof(int64) * Max(all, 1)));
    *count = 0;
    for (int i = 0; i < all; i++)
        if (!nulls[i]) numbers[(*count)++] = DatumGetInt64(values[i]);
    return numbers;
}

Cursor open_cursor(const char *query) {
    Cursor cursor = {};
    SPIPlanPtr plan = SPI_prepare(query, 0, nullptr);
    if (plan == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the ledger")));
    cursor.portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
    return cursor;
}

HeapTuple peek(Cursor *cursor) {
    if (cursor->at == cursor->count) {
        if (cursor->rows != nullptr) SPI_freetuptable(cursor->rows);
        SPI_cursor_fetch(cursor->portal, true, kFetch);
        cursor->rows = SPI_tuptable;
        cursor->count = SPI_processed;
        cursor->at = 0;
        CHECK_FOR_INTERRUPTS();
        if (cursor->count == 0) return nullptr;
    }
    return cursor->rows->vals[cursor->at];
}

SealRow read_seal(Cursor *cursor) {
    SealRow row = {};
    HeapTuple tuple = peek(cursor);
    if (tuple == nullptr) return row;
    TupleDesc shape = cursor->rows->tupdesc;
    bool is_null;
    row.valid = true;
    row.number = DatumGetInt64(SPI_getbinval(tuple, shape, 1, &is_null));
    row.epoch = DatumGetInt32(SPI_getbinval(tuple, shape, 2, &is_null));
    row.entries = DatumGetInt64(SPI_getbinval(tuple, shape, 3, &is_null));
    row.complete = DatumGetBool(SPI_getbinval(tuple, shape, 13, &is_null));
    core::Digest *const digests[] = {&row.root, &row.previous, &row.hash};
    for (int i = 0; i < 3; i++) {
        Datum value = SPI_getbinval(tuple, shape, 4 + i, &is_null);
        row.complete = copy_digest(value, is_null, digests[i]) && row.complete;
    }
    row.root_frontier = pg::varlena_view(SPI_getbinval(tuple, shape, 7, &is_null));
    row.body = pg::varlena_view(SPI_getbinval(tuple, shape, 8, &is_null));
    row.snapshot = SPI_getbinval(tuple, shape, 9, &is_null);
    row.root_size = DatumGetInt64(SPI_getbinval(tuple, shape, 10, &is_null));
    row.sealed_at = DatumGetTimestampTz(SPI_getbinval(tuple, shape, 11, &is_null));
    row.wal = DatumGetUInt64(SPI_getbinval(tuple, shape, 12, &is_null));
    return row;
}

}  // namespace aegis::verify

// SPDX-License-Identifier: Apache-2.0
// Beginning a new epoch of the ledger, after a restore into another cluster. Its first entry says
// which checkpoint the ledger that was restored knew last: who kept a later one sees what is lost.
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"

namespace {

using aegis::ledger::DetailPair;

constexpr int kMostDetails = 5;

// Inside SPI. The newest checkpoint of whatever log: the ledger may go on under another name.
int add_checkpoint(DetailPair *details, int count) {
    if (SPI_execute("SELECT pg_catalog.split_part(note, E'\\n', 1), size,"
                    " pg_catalog.encode(root, 'hex') FROM aegis.checkpoint"
                    " ORDER BY number DESC LIMIT 1",
                    false, 1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read checkpoints")));
    if (SPI_processed == 0) return count;
    HeapTuple row = SPI_tuptable->vals[0];
    TupleDesc shape = SPI_tuptable->tupdesc;
    bool is_null;
    details[count++] = {"checkpoint_origin", SPI_getvalue(row, shape, 1), 0};
    details[count++] = {"checkpoint_size", nullptr,
                        DatumGetInt64(SPI_getbinval(row, shape, 2, &is_null))};
    details[count++] = {"checkpoint_root", SPI_getvalue(row, shape, 3), 0};
    return count;
}

size_t room_for(const DetailPair *details, int count) {
    size_t bytes = 16;
    for (int i = 0; i < count; i++)
        bytes += strlen(details[i].key) + 32 +
                 (details[i].text != nullptr ? strlen(details[i].text) : 0);
    return bytes;
}

}  // namespace

AEGIS_FUNCTION(aegis_begin_epoch) {
    if (FullTransactionIdIsValid(GetTopFullTransactionIdIfAny()))
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("a new epoch must begin in a transaction of its own")));
    const aegis::ledger_tables::Oids oids = aegis::ledger_tables::require();
    // Waits for everyone who writes in the old epoch.
    LockRelationOid(oids.entry, ShareRowExclusiveLock);
    int32 epoch = 0;
    aegis::ledger::Event event = {};
    event.type = "ledger.epoch_begun";
    MemoryContext caller = CurrentMemoryContext;
    Oid types[2] = {INT8OID, TEXTOID};
    Datum values[2] = {Int64GetDatum(static_cast<int64>(GetSystemIdentifier())),
                       PG_GETARG_DATUM(0)};
    aegis::ledger_tables::own_change([&] {
        if (SPI_connect() != SPI_OK_CONNECT ||
            SPI_execute_with_args(
                "INSERT INTO aegis.ledger_epoch (epoch, system_identifier, began_at, reason)"
                " SELECT coalesce(pg_catalog.max(epoch), 1) + 1, $1, pg_catalog.now(), $2"
                " FROM aegis.ledger_epoch RETURNING epoch",
                2, types, values, nullptr, false, 0) != SPI_OK_INSERT_RETURNING)
            ereport(ERROR,
                    (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not begin a new epoch")));
        bool is_null;
        epoch =
            DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
        DetailPair details[kMostDetails] = {{"epoch", nullptr, epoch},
                                            {"reason", text_to_cstring(PG_GETARG_TEXT_PP(0)), 0}};
        int count = add_checkpoint(details, 2);
        size_t room = room_for(details, count);
        aegis::core::ByteSpan buffer(static_cast<uint8_t *>(MemoryContextAlloc(caller, room)),
                                     room);
        event.detail = aegis::ledger::encode_detail(details, count, buffer);
        SPI_finish();
    });
    CacheInvalidateRelcacheByRelid(oids.epoch);
    CommandCounterIncrement();

    aegis::ledger::append(event);
    PG_RETURN_INT32(epoch);
}

// SPDX-License-Identifier: Apache-2.0
// Beginning a new epoch of the ledger, after a restore into another cluster.
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"

AEGIS_FUNCTION(aegis_begin_epoch) {
    if (FullTransactionIdIsValid(GetTopFullTransactionIdIfAny()))
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("a new epoch must begin in a transaction of its own")));
    const aegis::ledger_tables::Oids oids = aegis::ledger_tables::require();
    // Waits for everyone who writes in the old epoch.
    LockRelationOid(oids.entry, ShareRowExclusiveLock);
    int32 epoch = 0;
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
        SPI_finish();
    });
    CacheInvalidateRelcacheByRelid(oids.epoch);
    CommandCounterIncrement();

    uint8_t buffer[64];
    aegis::ledger::DetailPair pair = {"epoch", nullptr, epoch};
    aegis::ledger::Event event = {};
    event.type = "ledger.epoch_begun";
    event.detail = aegis::ledger::encode_detail(&pair, 1, aegis::core::ByteSpan(buffer));
    aegis::ledger::append(event);
    PG_RETURN_INT32(epoch);
}

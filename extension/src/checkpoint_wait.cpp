// SPDX-License-Identifier: Apache-2.0
// Waiting for a checkpoint: for operations that must not answer before what they wrote is signed.
#include "checkpoint.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "seal.hpp"

namespace {

constexpr int kLookMillis = 20;

// Size of the newest checkpoint that covers the seal, 0 while none does.
int64 size_covering(int64 seal) {
    int64 size = 0;
    PushActiveSnapshot(GetLatestSnapshot());
    Oid types[1] = {INT8OID};
    Datum values[1] = {Int64GetDatum(seal)};
    if (SPI_connect() != SPI_OK_CONNECT ||
        SPI_execute_with_args(
            "SELECT size FROM aegis.checkpoint WHERE seal >= $1 ORDER BY number DESC LIMIT 1", 1,
            types, values, nullptr, true, 1) != SPI_OK_SELECT)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the newest checkpoint")));
    if (SPI_processed == 1) {
        bool is_null;
        size =
            DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    }
    SPI_finish();
    PopActiveSnapshot();
    return size;
}

}  // namespace

AEGIS_FUNCTION(aegis_wait_checkpoint) {
    TimestampTz end = DatumGetTimestampTz(DirectFunctionCall2(
        timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(0)));
    if (*aegis::guc::signer == '\0')
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("checkpoints are not signed on this server"),
                        errhint("Set \"aegis.signer\" in the configuration file.")));
    int64 seal = aegis::seal::wait(end);
    for (;;) {
        int64 size = size_covering(seal);
        if (size > 0) PG_RETURN_INT64(size);
        if (GetCurrentTimestamp() >= end)
            ereport(ERROR, (errcode(AEGIS_ERRCODE_SEALING_LAGS),
                            errmsg("no signed checkpoint covers the entries yet"),
                            errdetail("Signing stands at \"%s\".",
                                      aegis::checkpoint::name_of(aegis::checkpoint::standing())),
                            errhint("See the server's log and that of the signer.")));
        CHECK_FOR_INTERRUPTS();
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookMillis,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

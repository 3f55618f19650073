// SPDX-License-Identifier: Apache-2.0
// Waiting for a seal: for operations that must not answer before their entries are sealed.
#include "pg/function.hpp"
#include "seal.hpp"
#include "worker.hpp"

namespace aegis::seal {

namespace {

int64 newest_seal() {
    int64 number = 0;
    PushActiveSnapshot(GetLatestSnapshot());
    if (SPI_connect() != SPI_OK_CONNECT ||
        SPI_execute("SELECT pg_catalog.max(number) FROM aegis.seal", true, 1) != SPI_OK_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not read the newest seal")));
    bool is_null;
    Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    if (!is_null) number = DatumGetInt64(value);
    SPI_finish();
    PopActiveSnapshot();
    return number;
}

}  // namespace

int64_t end_of(Datum timeout) {
    TimestampTz now = GetCurrentTimestamp();
    TimestampTz then = DatumGetTimestampTz(
        DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), timeout));
    return worker::now_micros() + (then - now);
}

int64 wait(int64_t end) {
    int64_t target = worker::now_micros();
    for (;;) {
        worker::Slot *slot = worker::slot();
        if (slot != nullptr && slot->sealed_micros.load() >= target) return newest_seal();
        if (worker::now_micros() >= end)
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_SEALING_LAGS), errmsg("entries are not sealed yet"),
                     errhint("See the server's log for the state of the worker.")));
        worker::wake();
        CHECK_FOR_INTERRUPTS();
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

}  // namespace aegis::seal

AEGIS_FUNCTION(aegis_wait_sealed) {
    PG_RETURN_INT64(aegis::seal::wait(aegis::seal::end_of(PG_GETARG_DATUM(0))));
}

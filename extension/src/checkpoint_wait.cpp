// SPDX-License-Identifier: Apache-2.0
// Waiting for a checkpoint, or for one that witnesses cosigned: for operations that must not answer
// before what they wrote is signed.
#include "checkpoint.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "seal.hpp"
#include "witness.hpp"

namespace {

constexpr int kLookMillis = 20;

constexpr const char *kSigned =
    "SELECT size FROM aegis.checkpoint WHERE seal >= $1 ORDER BY number DESC LIMIT 1";
constexpr const char *kWitnessed =
    "SELECT size FROM aegis.checkpoint WHERE seal >= $1 AND number = aegis.newest_witnessed()";

// Size of the newest checkpoint that covers the seal, 0 while none does.
int64 size_covering(const char *query, int64 seal) {
    int64 size = 0;
    PushActiveSnapshot(GetLatestSnapshot());
    Oid types[1] = {INT8OID};
    Datum values[1] = {Int64GetDatum(seal)};
    if (SPI_connect() != SPI_OK_CONNECT ||
        SPI_execute_with_args(query, 1, types, values, nullptr, true, 1) != SPI_OK_SELECT)
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

TimestampTz end_of(Datum timeout) {
    return DatumGetTimestampTz(DirectFunctionCall2(
        timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), timeout));
}

void require_signer() {
    if (*aegis::guc::signer == '\0')
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("checkpoints are not signed on this server"),
                        errhint("Set \"aegis.signer\" in the configuration file.")));
}

// 0 when the time is over.
int64 wait(const char *query, TimestampTz end) {
    int64 seal = aegis::seal::wait(end);
    for (;;) {
        int64 size = size_covering(query, seal);
        if (size > 0 || GetCurrentTimestamp() >= end) return size;
        CHECK_FOR_INTERRUPTS();
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookMillis,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

}  // namespace

AEGIS_FUNCTION(aegis_wait_checkpoint) {
    TimestampTz end = end_of(PG_GETARG_DATUM(0));
    require_signer();
    int64 size = wait(kSigned, end);
    if (size == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SEALING_LAGS),
                        errmsg("no signed checkpoint covers the entries yet"),
                        errdetail("Signing stands at \"%s\".",
                                  aegis::checkpoint::name_of(aegis::checkpoint::standing())),
                        errhint("See the server's log and that of the signer.")));
    PG_RETURN_INT64(size);
}

AEGIS_FUNCTION(aegis_wait_witnessed) {
    TimestampTz end = end_of(PG_GETARG_DATUM(0));
    require_signer();
    if (aegis::witness::health().standing == aegis::witness::Standing::off)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("no witness is registered"),
                        errhint("Register one with aegis.register_witness().")));
    int64 size = wait(kWitnessed, end);
    if (size == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SEALING_LAGS),
                        errmsg("no witnessed checkpoint covers the entries yet"),
                        errdetail("Signing stands at \"%s\", cosigning at \"%s\".",
                                  aegis::checkpoint::name_of(aegis::checkpoint::standing()),
                                  aegis::witness::name_of(aegis::witness::health().standing)),
                        errhint("aegis.witnesses says how each witness stands.")));
    PG_RETURN_INT64(size);
}

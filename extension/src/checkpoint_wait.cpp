// SPDX-License-Identifier: Apache-2.0
// Waiting for a checkpoint, for one that witnesses cosigned, or for one that is anchored: for
// operations that must not answer before what they wrote is signed.
#include "anchor.hpp"
#include "checkpoint.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "seal.hpp"
#include "witness.hpp"
#include "worker.hpp"

namespace {

constexpr int kLookMillis = 20;

constexpr const char *kSigned =
    "SELECT size FROM aegis.checkpoint WHERE seal >= $1 ORDER BY number DESC LIMIT 1";
constexpr const char *kWitnessed =
    "SELECT size FROM aegis.checkpoint WHERE seal >= $1 AND number = aegis.newest_witnessed()";

constexpr const char *kAnchored =
    "SELECT size FROM aegis.checkpoint WHERE seal >= $1 AND number = aegis.newest_anchored()";

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

void require_signer() {
    if (*aegis::guc::signer == '\0')
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("checkpoints are not signed on this server"),
                        errhint("Set \"aegis.signer\" in the configuration file.")));
}

// 0 when the time is over.
int64 wait(const char *query, int64_t end) {
    int64 seal = aegis::seal::wait(end);
    for (;;) {
        int64 size = size_covering(query, seal);
        if (size > 0 || aegis::worker::now_micros() >= end) return size;
        CHECK_FOR_INTERRUPTS();
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookMillis,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
}

}  // namespace

AEGIS_FUNCTION(aegis_wait_checkpoint) {
    int64_t end = aegis::seal::end_of(PG_GETARG_DATUM(0));
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
    int64_t end = aegis::seal::end_of(PG_GETARG_DATUM(0));
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

AEGIS_FUNCTION(aegis_wait_anchored) {
    int64_t end = aegis::seal::end_of(PG_GETARG_DATUM(0));
    require_signer();
    if (strcmp(aegis::anchor::health().standing, "off") == 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("no anchor is registered"),
                        errhint("Register one with aegis.register_anchor().")));
    int64 size = wait(kAnchored, end);
    if (size == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_SEALING_LAGS),
                        errmsg("no anchored checkpoint covers the entries yet"),
                        errdetail("Signing stands at \"%s\", anchoring at \"%s\".",
                                  aegis::checkpoint::name_of(aegis::checkpoint::standing()),
                                  aegis::anchor::health().standing),
                        errhint("aegis.anchor_status says how each anchor stands.")));
    PG_RETURN_INT64(size);
}

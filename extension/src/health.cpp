// SPDX-License-Identifier: Apache-2.0
// What the gateway may tell the world about this database, in one look at shared memory.
#include "key_page.hpp"

#include "anchor.hpp"
#include "checkpoint.hpp"
#include "guc.hpp"
#include "outbox.hpp"
#include "pg/function.hpp"
#include "region.hpp"
#include "witness.hpp"
#include "worker.hpp"

namespace {

// Milliseconds since everything committed was sealed; -1 while this database has no worker.
int64 seal_lag_ms() {
    const aegis::region::State *state = aegis::region::state();
    if (state == nullptr) return -1;
    for (const aegis::worker::Slot &slot : state->workers.databases) {
        if (slot.database.load() != MyDatabaseId) continue;
        int64_t sealed = slot.sealed_micros.load();
        return sealed == 0 ? -1 : Max(aegis::worker::now_micros() - sealed, 0) / 1000;
    }
    return -1;
}

void append_number(StringInfo json, int64 number) {
    if (number < 0)
        appendStringInfoString(json, "null");
    else
        appendStringInfo(json, INT64_FORMAT, number);
}

}  // namespace

AEGIS_FUNCTION(aegis_replica_state) {
    bool standby = RecoveryInProgress();
    int delay = standby ? GetReplicationApplyDelay() : 0;
    Datum values[] = {BoolGetDatum(standby), BoolGetDatum(standby && WalRcvStreaming()),
                      Int64GetDatum(delay)};
    // Nothing was applied since the start: nobody knows.
    bool nulls[] = {false, false, delay < 0};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

AEGIS_FUNCTION(aegis_health) {
    const aegis::key::Page *page = aegis::region::key_page();
    bool keys = page != nullptr && page->fault.message[0] == '\0';
    bool worker = aegis::worker::is_alive();
    bool signing = aegis::checkpoint::is_well();
    aegis::outbox::Standing sending = aegis::outbox::standing();
    aegis::witness::Health witnesses = aegis::witness::health();
    bool witnessed = witnesses.standing != aegis::witness::Standing::stale &&
                     witnesses.standing != aegis::witness::Standing::refused;
    aegis::anchor::Health anchors = aegis::anchor::health();
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfo(&json, "{\"status\": \"%s\", \"worker\": %s, \"keys\": %s, \"seal_lag_ms\": ",
                     keys && worker && signing && witnessed && anchors.is_well &&
                             sending != aegis::outbox::Standing::stale
                         ? "ok"
                         : "degraded",
                     worker ? "true" : "false", keys ? "true" : "false");
    append_number(&json, seal_lag_ms());
    aegis::checkpoint::Standing standing = aegis::checkpoint::standing();
    appendStringInfo(&json, ", \"checkpoint\": \"%s\", \"checkpoint_lag_ms\": ",
                     aegis::checkpoint::name_of(standing));
    append_number(&json,
                  standing == aegis::checkpoint::Standing::off ? -1 : aegis::checkpoint::lag_ms());
    appendStringInfo(&json, ", \"witness\": \"%s\", \"witness_lag_ms\": ",
                     aegis::witness::name_of(witnesses.standing));
    append_number(&json, witnesses.lag_ms);
    appendStringInfo(&json, ", \"anchor\": \"%s\", \"anchor_lag_ms\": ", anchors.standing);
    append_number(&json, anchors.lag_ms);
    appendStringInfo(&json, ", \"outbox\": \"%s\", \"region\": \"%s\"}",
                     aegis::outbox::name_of(sending), aegis::guc::region);
    PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

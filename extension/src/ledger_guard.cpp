// SPDX-License-Identifier: Apache-2.0
#include "ledger_guard.hpp"

#include "ledger_tables.hpp"
#include "pg/function.hpp"

// Stands when the guard's hooks are switched off. Our own code passes: the sealer moves the heads of
// tenant logs forward.
AEGIS_FUNCTION(aegis_refuse_ledger_change) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("not called as a trigger")));
    TriggerData *data = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!aegis::ledger_tables::is_own_change())
        ereport(ERROR, (errcode(AEGIS_ERRCODE_LEDGER_APPEND_ONLY), errmsg("ledger is append-only"),
                        errdetail("Table \"%s\" was to be changed.", RelationGetRelationName(data->tg_relation))));
    if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
        return PointerGetDatum(data->tg_newtuple);
    return PointerGetDatum(data->tg_trigtuple);
}

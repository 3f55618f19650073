// SPDX-License-Identifier: Apache-2.0
// How trigger functions are called.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

// The data of a BEFORE INSERT OR UPDATE trigger for each row. ERROR 39P01 for any other call of the
// function of schema aegis.
inline TriggerData *before_write(FunctionCallInfo fcinfo, const char *function) {
    TriggerData *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
        !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
        !(TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
        ereport(ERROR,
                (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                 errmsg("aegis.%s() is a BEFORE INSERT OR UPDATE trigger for each row", function)));
    return trigger;
}

}  // namespace aegis::pg

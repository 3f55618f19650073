// SPDX-License-Identifier: Apache-2.0
// For the regression tests only, never in a shipped library: sets a context without a proof, so
// that ranks and walls can be tested one by one.
#ifdef AEGIS_TESTING

#include "context.hpp"

#include "pg/function.hpp"

using aegis::context::Context;

// aegis_probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint)
AEGIS_FUNCTION(aegis_probe_context) {
    Context context{};
    context.tenant = *PG_GETARG_UUID_P(0);
    context.way = aegis::context::Way::session_token;
    context.expires_at = DT_NOEND;
    context.confirmed_at = GetCurrentTimestamp();
    aegis::context::set_ranges(context, static_cast<int16>(PG_GETARG_INT32(2)),
                               *PG_GETARG_UUID_P(1), PG_GETARG_INT64(3), PG_GETARG_INT64(4));
    aegis::context::establish(context);
    PG_RETURN_VOID();
}

#endif

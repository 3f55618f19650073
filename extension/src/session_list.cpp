// SPDX-License-Identifier: Apache-2.0
// Ending a session that is not the one that asks.
#include "session.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"
#include "user_authority.hpp"

namespace {

using namespace aegis;
using context::Context;

pg::Statement find_owner = {
    "SELECT s.user_id FROM aegis.session s WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

// One that is not there and one that is not the caller's to end are not told apart.
[[noreturn]] void refuse_unknown() {
    ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("session does not exist")));
    pg_unreachable();
}

}  // namespace

AEGIS_FUNCTION(aegis_end_session) {
    const Context &context = user::require_writable();
    pg_uuid_t session = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&session)};
    bool is_null;
    if (pg::execute(find_owner, values) != 1) refuse_unknown();
    pg_uuid_t owner = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    if (memcmp(&owner, &context.user, sizeof owner) != 0) {
        if (!user::is_unbounded(context)) refuse_unknown();
        user::require_target(context, owner);
    }
    if (session::end(owner, &session, "revoked")) {
        char id[37], user_id[37];
        uint8_t detail[64];
        user::format(session, id);
        user::format(owner, user_id);
        const ledger::DetailPair pair = {"user", user_id, 0};
        ledger::Event entry = {"auth.session_revoked"};
        entry.target_kind = "session";
        entry.target_id = id;
        entry.detail = ledger::encode_detail(&pair, 1, detail);
        ledger::append(entry);
    }
    pg::leave(before);
    PG_RETURN_VOID();
}

// SPDX-License-Identifier: Apache-2.0
// Links between subjects of issuers and users. Whoever may make one could act as the user, so only
// admins and operators may, and nobody for themselves.
#include "issuer.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "session.hpp"
#include "step_up.hpp"
#include "user.hpp"
#include "user_authority.hpp"

namespace aegis::issuer {

namespace {

pg::Statement find_mapped = {
    "SELECT i.id FROM aegis.issuer i WHERE i.name OPERATOR(pg_catalog.=) $1 AND i.retired_at IS "
    "NULL AND EXISTS (SELECT FROM aegis.issuer_tenant m WHERE m.issuer_id OPERATOR(pg_catalog.=) "
    "i.id AND m.tenant_id OPERATOR(pg_catalog.=) $2)",
    2,
    {TEXTOID, UUIDOID},
    nullptr};

pg::Statement insert_link = {
    "INSERT INTO aegis.issuer_user (issuer_id, tenant_id, subject, user_id) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT DO NOTHING",
    4,
    {UUIDOID, UUIDOID, TEXTOID, UUIDOID},
    nullptr};

pg::Statement find_link = {
    "SELECT l.user_id FROM aegis.issuer_user l WHERE l.issuer_id OPERATOR(pg_catalog.=) $1 AND "
    "l.tenant_id OPERATOR(pg_catalog.=) $2 AND l.subject OPERATOR(pg_catalog.=) $3",
    3,
    {UUIDOID, UUIDOID, TEXTOID},
    nullptr};

pg::Statement remove_link = {
    "DELETE FROM aegis.issuer_user WHERE issuer_id OPERATOR(pg_catalog.=) $1 AND "
    "tenant_id OPERATOR(pg_catalog.=) $2 AND subject OPERATOR(pg_catalog.=) $3",
    3,
    {UUIDOID, UUIDOID, TEXTOID},
    nullptr};

pg::Statement end_begun = {
    "WITH waiting AS (DELETE FROM aegis.issuer_attempt WHERE user_id OPERATOR(pg_catalog.=) $2"
    "  AND issuer_id OPERATOR(pg_catalog.=) $1),"
    " owing AS (DELETE FROM aegis.challenge WHERE user_id OPERATOR(pg_catalog.=) $2"
    "  AND issuer_id OPERATOR(pg_catalog.=) $1)"
    " UPDATE aegis.session SET ended_at = pg_catalog.clock_timestamp(), end_reason = 'issuer'"
    " WHERE user_id OPERATOR(pg_catalog.=) $2 AND issuer_id OPERATOR(pg_catalog.=) $1"
    " AND ended_at IS NULL",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

const context::Context &require_admin() {
    const context::Context &context = user::require_writable();
    if (!user::is_unbounded(context))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only admins and operators link users to an issuer")));
    step_up::require(context);
    return context;
}

pg_uuid_t require_mapped(const char *name, const pg_uuid_t &tenant) {
    Datum values[] = {CStringGetTextDatum(name), UUIDPGetDatum(&tenant)};
    bool is_null;
    if (pg::execute(find_mapped, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("issuer \"%s\" does not exist for this tenant", name),
                        errhint("An operator says which organisation of the issuer the tenant is: "
                                "aegis.map_issuer_tenant().")));
    return *DatumGetUUIDP(pg::column(0, 1, &is_null));
}

void record(const char *event, const pg_uuid_t &user, const char *issuer, const char *subject) {
    const ledger::DetailPair pairs[] = {{"issuer", issuer, 0}, {"subject", subject, 0}};
    uint8_t detail[512];
    char id[37];
    user::format(user, id);
    ledger::Event entry = {event};
    entry.target_kind = "user";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(pairs, lengthof(pairs), detail);
    ledger::append(entry);
}

}  // namespace

}  // namespace aegis::issuer

using namespace aegis;

AEGIS_FUNCTION(aegis_link_issuer_user) {
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char *subject = text_to_cstring(PG_GETARG_TEXT_PP(1));
    pg_uuid_t user = *PG_GETARG_UUID_P(2);
    if (*subject == '\0' || strlen(subject) > core::kMaxSubjectBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("subject must have 1 to %zu bytes", core::kMaxSubjectBytes)));
    const context::Context &context = issuer::require_admin();
    pg::Identity before = pg::enter();
    pg_uuid_t id = issuer::require_mapped(name, context.tenant);
    user::require_target(context, user);
    Datum values[] = {UUIDPGetDatum(&id), UUIDPGetDatum(&context.tenant), PG_GETARG_DATUM(1),
                      UUIDPGetDatum(&user)};
    if (pg::execute(issuer::insert_link, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                        errmsg("the subject is linked to a user of this tenant already"),
                        errhint("Take it back with aegis.unlink_issuer_user() first.")));
    issuer::record("issuer.user_linked", user, name, subject);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_unlink_issuer_user) {
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char *subject = text_to_cstring(PG_GETARG_TEXT_PP(1));
    const context::Context &context = issuer::require_admin();
    pg::Identity before = pg::enter();
    pg_uuid_t id = issuer::require_mapped(name, context.tenant);
    Datum values[] = {UUIDPGetDatum(&id), UUIDPGetDatum(&context.tenant), PG_GETARG_DATUM(1)};
    bool is_null;
    if (pg::execute(issuer::find_link, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("the subject is linked to no user of this tenant")));
    pg_uuid_t user = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    user::require_target(context, user);
    pg::execute(issuer::remove_link, values);
    Datum ended[] = {UUIDPGetDatum(&id), UUIDPGetDatum(&user)};
    pg::execute(issuer::end_begun, ended);
    issuer::record("issuer.user_unlinked", user, name, subject);
    pg::leave(before);
    PG_RETURN_VOID();
}

// SPDX-License-Identifier: Apache-2.0
// What an outbound job may do beyond being sent: open the credential of the other side for the
// call, and work in its tenant with the answer. docs/outbox.md.
#include "charge.hpp"
#include "context.hpp"
#include "field.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "role.hpp"
#include "team.hpp"
#include "tenant.hpp"

using namespace aegis;

namespace {

void require_owner(const char *what) {
    if (GetUserId() != role::owner())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("only aegis_owner %s", what),
                 errhint("Call the function of the concept that decides what is sent.")));
}

}  // namespace

// (value aegis.sealed_text, tenant uuid) → text. No rank and no policy opens these fields: only who
// connects as the payment service, and each opening is charged before.
AEGIS_FUNCTION(aegis_open_credential) {
    require_owner("opens a credential");
    Oid user = GetSessionUserId(), service = role::payment_service();
    if (!OidIsValid(service) || !is_member_of_role_nosuper(user, service))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("role \"%s\" may not open credentials of providers",
                               GetUserNameFromId(user, false)),
                        errhint("Grant aegis_payment_service to the login of the agent.")));
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    const pg_uuid_t &tenant = *PG_GETARG_UUID_P(1);
    if (!sealed::is_envelope(value))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED), errmsg("value is not sealed"),
                        errhint("Only values that were read from a table can be opened.")));
    core::EnvelopeParts parts = sealed::parse(value);
    const field::Field *field = field::find(parts.header.field);
    if (field == nullptr || (parts.header.flags & (core::kFlagRowBound | core::kFlagSubject)))
        field::cannot_open();
    charge::count_reveal(tenant, field->reference, 1);
    core::ByteSpan opened = field::open(tenant, *field, value, field::Bond());
    text *result = cstring_to_text_with_len(reinterpret_cast<const char *>(opened.data),
                                            static_cast<int>(opened.size));
    sealed::discard(opened);
    PG_RETURN_TEXT_P(result);
}

// (tenant uuid): the context of a job of this tenant, for the rest of the transaction.
AEGIS_FUNCTION(aegis_enter_outbound) {
    require_owner("works in the tenant of an outbound job");
    const pg_uuid_t &id = *PG_GETARG_UUID_P(0);
    team::hold_numbers(id);
    tenant::Tenant tenant = tenant::require(id);
    pg_uuid_t team;
    int64 ord, last_ord;
    if (!tenant::root_team(tenant.id, &team, &ord, &last_ord))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant has no root team"),
                        errhint("It was erased or moved; aegis.tenants() shows its state.")));
    context::Context context{};
    context.tenant = tenant.id;
    context.way = context::Way::job;
    context.expires_at =
        GetCurrentTimestamp() + static_cast<int64>(guc::transaction_timeout) * USECS_PER_SEC;
    const pg_uuid_t nobody{};
    context::set_ranges(context, context::kRankAdmin, nobody, ord, last_ord);
    context::establish(context);
    PG_RETURN_VOID();
}

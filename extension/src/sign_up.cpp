// SPDX-License-Identifier: Apache-2.0
// The first admin of a tenant that nobody is in yet. docs/sign_up.md.
#include "ledger.hpp"
#include "password.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "scrub.hpp"
#include "user.hpp"

namespace {

using namespace aegis;

pg::Statement find_root = {
    "SELECT m.id FROM aegis.team m WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND m.parent_id IS "
    "NULL AND NOT EXISTS (SELECT FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1)",
    1,
    {UUIDOID},
    nullptr};

void record_created(const pg_uuid_t &tenant, const pg_uuid_t &user) {
    char id[37];
    uint8_t detail[64];
    user::format(user, id);
    const ledger::DetailPair pair = {"rank", nullptr, 4};
    ledger::Event entry = {"user.created"};
    entry.tenant = &tenant;
    entry.user = &user;
    entry.target_kind = "user";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    ledger::append(entry);
}

}  // namespace

// (tenant uuid, email text, name text, password text) → uuid
AEGIS_FUNCTION(aegis_add_first_admin) {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner adds the first admin of a tenant"),
                        errhint("Call aegis.finish_sign_up() or aegis.create_user().")));
    pg_uuid_t tenant = *PG_GETARG_UUID_P(0);
    user::Person person = {text_to_cstring(PG_GETARG_TEXT_PP(1)),
                           text_to_cstring(PG_GETARG_TEXT_PP(2)), 4};
    core::ByteView password = pg::varlena_view(PG_GETARG_DATUM(3));
    password::check_new(password, person.email, person.name);
    pg_uuid_t *created = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&tenant)};
    bool is_null;
    if (pg::execute(find_root, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("tenant has users already")));
    person.team = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    *created = user::insert(tenant, person, password::hash_checked(password, nullptr));
    record_created(tenant, *created);
    pg::leave(before);
    PG_RETURN_UUID_P(created);
}

// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"
#include "core/normalise.hpp"
#include "user.hpp"

#include "field.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "password.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "scrub.hpp"
#include "session.hpp"
#include "sign_in.hpp"
#include "step_up.hpp"
#include "user_authority.hpp"
#include "user_token.hpp"

namespace aegis::user {

using context::Context;

namespace {

constexpr int kSlotPatienceMs = 10000;
constexpr size_t kLongestName = 200;
constexpr size_t kLongestEmail = 320;
// No hash: no password fits it.
constexpr char kNoPassword[] = "*";

pg::Statement find_team = {
    "SELECT m.ord FROM aegis.team m"
    " WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 FOR KEY SHARE",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

// Where the creator's own rows go; an operator has no team, so the root stands in.
pg::Statement find_own_team = {
    "SELECT m.id FROM aegis.team m"
    " WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND (m.ord OPERATOR(pg_catalog.=) $2 OR "
    "m.parent_id IS NULL)"
    " ORDER BY m.parent_id IS NULL LIMIT 1",
    2,
    {UUIDOID, INT8OID},
    nullptr};

// Who was an admin once stays one for what takes two people to do to an admin.
pg::Statement update_rank = {
    "UPDATE aegis.user SET rank = $2, was_admin = was_admin OR rank OPERATOR(pg_catalog.=) "
    "4::pg_catalog.int2 OR $2 OPERATOR(pg_catalog.=) 4::pg_catalog.int2"
    " WHERE id OPERATOR(pg_catalog.=) $1",
    2,
    {UUIDOID, INT2OID},
    nullptr};

pg::Statement update_team = {
    "UPDATE aegis.user SET team_id = $2 WHERE id OPERATOR(pg_catalog.=) $1",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement update_status = {
    "UPDATE aegis.user SET status = 'inactive' WHERE id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

// The sealed types are members of the extension, so their OIDs are known only at run time.
pg::Statement insert_user = {
    "INSERT INTO aegis.user (tenant_id, team_id, rank, login, email, name, password_hash, status, "
    "was_admin)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $3 OPERATOR(pg_catalog.=) 4::pg_catalog.int2)"
    " ON CONFLICT (tenant_id, login) DO NOTHING RETURNING id",
    8,
    {UUIDOID, UUIDOID, INT2OID, BYTEAOID, InvalidOid, InvalidOid, TEXTOID, TEXTOID},
    nullptr};

void require_rank(int rank) {
    if (rank < context::kRankUser || rank > context::kRankAdmin)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rank must be between 1 and 4"),
                 errhint("Ranks are 1 user, 2 team lead, 3 manager, 4 admin.")));
}

int64 require_team(const Context &context, const pg_uuid_t &team) {
    Datum values[] = {UUIDPGetDatum(&context.tenant), UUIDPGetDatum(&team)};
    if (pg::execute(find_team, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("team does not exist")));
    bool is_null;
    return DatumGetInt64(pg::column(0, 1, &is_null));
}

pg_uuid_t own_team(const Context &context) {
    Datum values[] = {UUIDPGetDatum(&context.tenant), Int64GetDatum(context.team_ord)};
    if (pg::execute(find_own_team, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("team does not exist")));
    bool is_null;
    return *DatumGetUUIDP(pg::column(0, 1, &is_null));
}

Oid sealed_type(const char *name) {
    Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                               ObjectIdGetDatum(get_namespace_oid("aegis", false)));
    if (!OidIsValid(type))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("type \"aegis.%s\" does not exist", name)));
    return type;
}

Datum seal(const pg_uuid_t &tenant, const char *field_name, const char *value) {
    const field::Field *field = field::find(field::reference_of(field_name));
    if (field == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("field \"%s\" is not registered", field_name)));
    return PointerGetDatum(field::seal(tenant, *field, pg::view_of(value), field::Bond()));
}

char *trimmed(text *value, const char *what, size_t longest) {
    char *copy = text_to_cstring(value);
    while (*copy == ' ') copy++;
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == ' ') copy[--length] = '\0';
    if (length == 0 || length > longest)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must have 1 to %zu bytes", what, longest)));
    return copy;
}

char *hash_password(core::ByteView password) {
    char *encoded = static_cast<char *>(palloc(password::kEncodedBytes));
    int slot;
    if (!password::take_slot(kSlotPatienceMs, &slot))
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_CONNECTIONS),
                        errmsg("too many passwords are being hashed"),
                        errhint("Try again, or raise aegis.password_concurrency.")));
    bool done = password::hash(password, encoded);
    password::give_back(slot);
    if (!done)
        ereport(ERROR,
                (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for a password hash")));
    return encoded;
}

}  // namespace

Oid relation() {
    Oid oid = get_relname_relid("user", get_namespace_oid("aegis", false));
    if (!OidIsValid(oid))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"aegis.user\" does not exist"),
                 errhint("Run CREATE EXTENSION aegis.")));
    return oid;
}

void format(const pg_uuid_t &id, char out[37]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[id.data[i] >> 4];
        *out++ = digits[id.data[i] & 15];
    }
    *out = '\0';
}

bool login_of(const pg_uuid_t *tenant, const char *email, uint8_t out[32]) {
    uint8_t buffer[kLongestEmail];
    size_t length = 0;
    if (strlen(email) > kLongestEmail) return false;
    pg::Report shape = pg::run([&] {
        length =
            core::normalise(core::Normaliser::email, pg::view_of(email), core::ByteSpan(buffer));
    });
    if (shape.failed) return false;
    if (tenant != nullptr) key::login_token(*tenant, core::ByteView(buffer, length), out);
    return true;
}

pg_uuid_t insert(const pg_uuid_t &tenant, const Person &person, const char *hash) {
    core::ByteSpan buffer = {static_cast<uint8_t *>(palloc(strlen(person.email))),
                             strlen(person.email)};
    size_t length = 0;
    pg::raise(pg::run([&] {
        length = core::normalise(core::Normaliser::email, pg::view_of(person.email), buffer);
    }));
    struct varlena *login = pg::alloc_varlena(32);
    key::login_token(tenant, buffer.slice(0, length), pg::payload(login).data);
    Datum values[] = {UUIDPGetDatum(&tenant),
                      UUIDPGetDatum(&person.team),
                      Int16GetDatum(person.rank),
                      PointerGetDatum(login),
                      seal(tenant, "user.email", person.email),
                      seal(tenant, "user.name", person.name),
                      CStringGetTextDatum(hash != nullptr ? hash : kNoPassword),
                      CStringGetTextDatum(hash != nullptr ? "active" : "invited")};
    insert_user.arguments[4] = sealed_type("sealed_email");
    insert_user.arguments[5] = sealed_type("sealed_text");
    if (pg::execute(insert_user, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                        errmsg("a user with this e-mail exists already")));
    bool is_null;
    return *DatumGetUUIDP(pg::column(0, 1, &is_null));
}

}  // namespace aegis::user

namespace context = aegis::context;
namespace ledger = aegis::ledger;
namespace pg = aegis::pg;
namespace user = aegis::user;

namespace {

// What both ways to a new user have in common: their arguments and who may make one.
pg_uuid_t *make_user(FunctionCallInfo fcinfo, bool invited) {
    const context::Context &context = user::require_writable();
    static const char *const names[] = {"e-mail", "name", "rank", nullptr, "password"};
    for (int i = 0; i < (invited ? 4 : 5); i++)
        if (names[i] != nullptr && PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("%s must not be null", names[i])));
    user::Person person = {user::trimmed(PG_GETARG_TEXT_PP(0), "e-mail", user::kLongestEmail),
                           user::trimmed(PG_GETARG_TEXT_PP(1), "name", user::kLongestName),
                           PG_GETARG_INT16(2)};
    user::require_rank(person.rank);
    // Whoever may make an admin of somebody new may do what needs one.
    if (person.rank > context::kRankUser) aegis::step_up::require(context);
    // They are sealed here, before any trigger could look into them.
    aegis::scrub::check_field("email", pg::view_of(person.email));
    aegis::scrub::check_field("name", pg::view_of(person.name));
    const char *hash = nullptr;
    aegis::core::ByteView password;
    if (!invited) {
        password = pg::varlena_view(PG_GETARG_DATUM(4));
        aegis::password::check_new(password, person.email, person.name);
    }
    pg_uuid_t *created = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    pg::Identity before = pg::enter();
    person.team = PG_ARGISNULL(3) ? user::own_team(context) : *PG_GETARG_UUID_P(3);
    user::require_authority(context, person.rank, user::require_team(context, person.team));
    if (!invited) hash = user::hash_password(password);
    *created = user::insert(context.tenant, person, hash);
    char team_text[37];
    user::format(person.team, team_text);
    const ledger::DetailPair pairs[] = {{"rank", nullptr, person.rank}, {"team", team_text, 0}};
    user::record(invited ? "user.invited" : "user.created", *created, pairs, lengthof(pairs));
    if (invited) aegis::user_token::send_invitation(context.tenant, *created);
    pg::leave(before);
    return created;
}

}  // namespace

AEGIS_FUNCTION(aegis_create_user) {
    PG_RETURN_UUID_P(make_user(fcinfo, false));
}

AEGIS_FUNCTION(aegis_invite_user) {
    PG_RETURN_UUID_P(make_user(fcinfo, true));
}

AEGIS_FUNCTION(aegis_set_rank) {
    const context::Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    int16 rank = PG_GETARG_INT16(1);
    user::require_rank(rank);
    aegis::step_up::require(context);
    pg::Identity before = pg::enter();
    user::Target target = user::require_target(context, id);
    user::require_authority(context, rank, target.team_ord);
    if (target.rank == context::kRankAdmin && rank != target.rank)
        user::require_other_admin(context, id);
    if (rank != target.rank) {
        Datum values[] = {UUIDPGetDatum(&id), Int16GetDatum(rank)};
        pg::execute(user::update_rank, values);
        const ledger::DetailPair pairs[] = {{"from", nullptr, target.rank}, {"to", nullptr, rank}};
        user::record("user.rank_changed", id, pairs, lengthof(pairs));
    }
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_move_user) {
    const context::Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg_uuid_t team = *PG_GETARG_UUID_P(1);
    aegis::step_up::require(context);
    pg::Identity before = pg::enter();
    user::Target target = user::require_target(context, id);
    user::require_authority(context, target.rank, user::require_team(context, team));
    Datum values[] = {UUIDPGetDatum(&id), UUIDPGetDatum(&team)};
    pg::execute(user::update_team, values);
    char team_text[37];
    user::format(team, team_text);
    const ledger::DetailPair pairs[] = {{"to", team_text, 0}};
    user::record("user.moved", id, pairs, lengthof(pairs));
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_deactivate_user) {
    const context::Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    user::Target target = user::require_target(context, id);
    if (target.active) {
        if (target.rank == context::kRankAdmin) user::require_other_admin(context, id);
        Datum values[] = {UUIDPGetDatum(&id)};
        pg::execute(user::update_status, values);
        aegis::session::end(id, nullptr, "deactivated");
        aegis::sign_in::forget_challenges(id);
        user::record("user.deactivated", id, nullptr, 0);
    }
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_unlock_user) {
    const context::Context &context = user::require_writable();
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    pg::Identity before = pg::enter();
    user::require_target(context, id);
    user::note_success(id, nullptr);
    user::record("user.unlocked", id, nullptr, 0);
    pg::leave(before);
    PG_RETURN_VOID();
}

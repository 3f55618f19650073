// SPDX-License-Identifier: Apache-2.0
// What operators do to services. Each change is an entry; a secret is shown once and stored sealed.
#include "core/encoding.hpp"
#include "core/random.hpp"
#include "service.hpp"

#include "ledger.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tenant.hpp"

namespace aegis::service {

namespace {

constexpr int kMostScopes = 64;
constexpr size_t kMostScopeBytes = 64;
constexpr int kMostSecrets = 2;

pg::Statement insert_service = {
    "INSERT INTO aegis.service (name, tenant_id, scopes, rank) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (name) DO NOTHING RETURNING id",
    4,
    {TEXTOID, UUIDOID, TEXTARRAYOID, INT2OID},
    nullptr};

// Locks the row: two who rotate at once must not both find room for a secret.
pg::Statement lock_service = {
    "SELECT s.id, s.tenant_id FROM aegis.service s"
    " WHERE s.name OPERATOR(pg_catalog.=) $1 AND s.retired_at IS NULL FOR NO KEY UPDATE",
    1,
    {TEXTOID},
    nullptr};

pg::Statement update_service = {
    "UPDATE aegis.service SET scopes = $2, rank = $3 WHERE id OPERATOR(pg_catalog.=) $1",
    3,
    {UUIDOID, TEXTARRAYOID, INT2OID},
    nullptr};

pg::Statement count_secrets = {
    "SELECT 1 FROM aegis.service_secret k"
    " WHERE k.service_id OPERATOR(pg_catalog.=) $1 AND k.retired_at IS NULL",
    1,
    {UUIDOID},
    nullptr};

pg::Statement next_number = {
    "UPDATE aegis.service SET keys_made = keys_made OPERATOR(pg_catalog.+) 1"
    " WHERE id OPERATOR(pg_catalog.=) $1 RETURNING keys_made",
    1,
    {UUIDOID},
    nullptr};

pg::Statement insert_secret = {
    "INSERT INTO aegis.service_secret (key_id, service_id, secret, tenant_id)"
    " VALUES ($1, $2, $3, $4)",
    4,
    {TEXTOID, UUIDOID, BYTEAOID, UUIDOID},
    nullptr};

pg::Statement find_owner = {
    "SELECT s.name FROM aegis.service s JOIN aegis.service_secret k"
    "    ON k.service_id OPERATOR(pg_catalog.=) s.id"
    " WHERE k.key_id OPERATOR(pg_catalog.=) $1 AND k.retired_at IS NULL",
    1,
    {TEXTOID},
    nullptr};

pg::Statement retire_secret = {
    "UPDATE aegis.service_secret SET retired_at = pg_catalog.now()"
    " WHERE key_id OPERATOR(pg_catalog.=) $1 AND retired_at IS NULL",
    1,
    {TEXTOID},
    nullptr};

pg::Statement retire_secrets = {
    "UPDATE aegis.service_secret SET retired_at = pg_catalog.now()"
    " WHERE service_id OPERATOR(pg_catalog.=) $1 AND retired_at IS NULL",
    1,
    {UUIDOID},
    nullptr};

pg::Statement retire_row = {
    "UPDATE aegis.service SET retired_at = pg_catalog.now() WHERE id OPERATOR(pg_catalog.=) $1",
    1,
    {UUIDOID},
    nullptr};

struct Locked {
    const char *name;
    pg_uuid_t id;
    pg_uuid_t tenant;
    bool has_tenant;
};

// As the CHECKs of the table have it, with an error that says so.
bool is_word(const char *text, size_t most, const char *others) {
    if (!(*text >= 'a' && *text <= 'z') || strlen(text) > most) return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr(others, *c)))
            return false;
    return true;
}

// The scopes, one behind the other.
const char *require_scopes(ArrayType *scopes) {
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(scopes, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    bool good = count >= 1 && count <= kMostScopes && ARR_NDIM(scopes) == 1;
    StringInfoData joined;
    initStringInfo(&joined);
    for (int i = 0; i < count && good; i++) {
        const char *scope = nulls[i] ? "" : TextDatumGetCString(values[i]);
        good = is_word(scope, kMostScopeBytes, "_.:-");
        appendStringInfo(&joined, "%s%s", i > 0 ? " " : "", scope);
    }
    if (!good)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("scopes must be a list of 1 to %d words", kMostScopes),
                        errhint("A scope begins with a letter and consists of up to %zu of a-z, "
                                "0-9, \"_\", \".\", \":\" and \"-\".",
                                kMostScopeBytes)));
    return joined.data;
}

void require_rank(int rank) {
    if (rank < 1 || rank > 4)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rank must be between 1 and 4"),
                 errhint("Ranks are 1 user, 2 team lead, 3 manager, 4 admin.")));
}

Locked lock(Datum name) {
    Datum values[] = {name};
    Locked locked{};
    locked.name = TextDatumGetCString(name);
    if (pg::execute(lock_service, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("service \"%s\" does not exist", locked.name),
                        errhint("aegis.services lists the services and when they were retired.")));
    bool is_null;
    locked.id = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    Datum tenant = pg::column(0, 2, &is_null);
    locked.has_tenant = !is_null;
    if (!is_null) locked.tenant = *DatumGetUUIDP(tenant);
    return locked;
}

void record(const char *event, const Locked &service, const ledger::DetailPair *pairs, int count) {
    size_t room = 64;
    for (int i = 0; i < count; i++)
        room += 32 + strlen(pairs[i].key) + (pairs[i].text != nullptr ? strlen(pairs[i].text) : 0);
    ledger::Event entry{};
    entry.type = event;
    if (service.has_tenant) entry.tenant = &service.tenant;
    entry.target_kind = "service";
    entry.target_id = service.name;
    if (count > 0)
        entry.detail =
            ledger::encode_detail(pairs, count, {static_cast<uint8_t *>(palloc(room)), room});
    ledger::append(entry);
}

struct Secret {
    const char *key_id;
    char *text;  // base64
};

// In the caller's memory context, which outlives the SPI connection.
Secret make_secret(const Locked &service, MemoryContext memory) {
    Datum id[] = {UUIDPGetDatum(&service.id)};
    pg::execute(next_number, id);
    bool is_null;
    int number = DatumGetInt32(pg::column(0, 1, &is_null));
    MemoryContext spi = MemoryContextSwitchTo(memory);
    Secret secret;
    secret.key_id = psprintf("%s.%d", service.name, number);
    size_t digits = core::base64_size(kSecretBytes);
    secret.text = static_cast<char *>(palloc0(digits + 1));
    MemoryContextSwitchTo(spi);
    uint8_t bytes[kSecretBytes];
    pg::raise(pg::run([&] {
        core::random_secret(bytes);
        core::to_base64(bytes, secret.text);
    }));
    Datum values[] = {CStringGetTextDatum(secret.key_id), UUIDPGetDatum(&service.id),
                      PointerGetDatum(seal_secret(secret.key_id, bytes)),
                      UUIDPGetDatum(&service.tenant)};
    core::wipe(bytes);
    pg::execute(insert_secret, values, service.has_tenant ? "    " : "   n");
    return secret;
}

Datum secret_row(FunctionCallInfo fcinfo, const Secret &secret) {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    Datum values[] = {CStringGetTextDatum(secret.key_id), CStringGetTextDatum(secret.text)};
    bool nulls[] = {false, false};
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

}  // namespace

}  // namespace aegis::service

using namespace aegis;

AEGIS_FUNCTION(aegis_create_service) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("name, scopes and rank must not be null")));
    service::Locked made{};
    made.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    made.has_tenant = !PG_ARGISNULL(1);
    if (!service::is_word(made.name, service::kMaxNameBytes, "_-"))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("\"%s\" cannot be the name of a service", made.name),
                        errhint("It begins with a letter and consists of up to %zu of a-z, 0-9, "
                                "\"_\" and \"-\".",
                                service::kMaxNameBytes)));
    const char *scopes = service::require_scopes(PG_GETARG_ARRAYTYPE_P(2));
    service::require_rank(PG_GETARG_INT16(3));
    if (made.has_tenant) made.tenant = tenant::require(*PG_GETARG_UUID_P(1)).id;

    MemoryContext memory = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    Datum values[] = {PG_GETARG_DATUM(0), UUIDPGetDatum(&made.tenant), PG_GETARG_DATUM(2),
                      PG_GETARG_DATUM(3)};
    if (pg::execute(service::insert_service, values, made.has_tenant ? "    " : " n  ") != 1)
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                        errmsg("service \"%s\" already exists", made.name),
                        errdetail("The name of a retired service is not given again.")));
    bool is_null;
    made.id = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    service::Secret secret = service::make_secret(made, memory);
    const ledger::DetailPair pairs[] = {
        {"key", secret.key_id, 0}, {"rank", nullptr, PG_GETARG_INT16(3)}, {"scopes", scopes, 0}};
    service::record("service.created", made, pairs, lengthof(pairs));
    pg::leave(before);
    return service::secret_row(fcinfo, secret);
}

AEGIS_FUNCTION(aegis_set_service) {
    const char *scopes = service::require_scopes(PG_GETARG_ARRAYTYPE_P(1));
    service::require_rank(PG_GETARG_INT16(2));
    pg::Identity before = pg::enter();
    service::Locked found = service::lock(PG_GETARG_DATUM(0));
    Datum values[] = {UUIDPGetDatum(&found.id), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
    pg::execute(service::update_service, values);
    const ledger::DetailPair pairs[] = {{"rank", nullptr, PG_GETARG_INT16(2)},
                                        {"scopes", scopes, 0}};
    service::record("service.changed", found, pairs, lengthof(pairs));
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_rotate_service_secret) {
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    service::Locked found = service::lock(PG_GETARG_DATUM(0));
    Datum values[] = {UUIDPGetDatum(&found.id)};
    if (pg::execute(service::count_secrets, values) >= service::kMostSecrets)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("service \"%s\" has two secrets in use", found.name),
                        errhint("Retire the older one with aegis.retire_service_secret().")));
    service::Secret secret = service::make_secret(found, memory);
    const ledger::DetailPair pair = {"key", secret.key_id, 0};
    service::record("service.secret_made", found, &pair, 1);
    pg::leave(before);
    return service::secret_row(fcinfo, secret);
}

AEGIS_FUNCTION(aegis_retire_service_secret) {
    Datum values[] = {PG_GETARG_DATUM(0)};
    const char *key_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
    pg::Identity before = pg::enter();
    if (pg::execute(service::find_owner, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("no service has a secret \"%s\" in use", key_id),
                        errhint("aegis.services lists those in use.")));
    bool is_null;
    service::Locked found = service::lock(pg::column(0, 1, &is_null));
    pg::execute(service::retire_secret, values);
    const ledger::DetailPair pair = {"key", key_id, 0};
    service::record("service.secret_retired", found, &pair, 1);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_retire_service) {
    const char *reason =
        operator_way::required_text(fcinfo, 1, "reason", operator_way::kReasonBytes);
    pg::Identity before = pg::enter();
    service::Locked found = service::lock(PG_GETARG_DATUM(0));
    Datum values[] = {UUIDPGetDatum(&found.id)};
    pg::execute(service::retire_secrets, values);
    pg::execute(service::retire_row, values);
    const ledger::DetailPair pair = {"reason", reason, 0};
    service::record("service.retired", found, &pair, 1);
    pg::leave(before);
    PG_RETURN_VOID();
}

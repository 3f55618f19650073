// SPDX-License-Identifier: Apache-2.0
// Creates tenants and finds them. A tenant is complete when it exists: keys, root team and the
// entry in the ledger are written in the same transaction.
#include "tenant.hpp"

#include "guc.hpp"
#include "key.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "session.hpp"
#include "team.hpp"

namespace aegis::tenant {

namespace {

pg::Statement lock_tenant = {
    "SELECT t.status FROM aegis.tenant t"
    " WHERE t.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
    1,
    {UUIDOID},
    nullptr};

pg::Statement update_status = {
    "UPDATE aegis.tenant SET status = $2 WHERE id OPERATOR(pg_catalog.=) $1",
    2,
    {UUIDOID, TEXTOID},
    nullptr};

// What was exported before is not the whole tenant any more.
pg::Statement forget_exports = {
    "UPDATE aegis.tenant_request SET result = NULL"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND result IS NOT NULL",
    1,
    {UUIDOID},
    nullptr};

enum Column : int { kId = 1, kSlug, kName, kRegion, kStatus, kCreatedAt, kMovedTo };

void copy_text(char *out, size_t capacity, Datum value) {
    core::ByteView text = pg::varlena_view(value);
    size_t length = text.size < capacity ? text.size : capacity - 1;
    memcpy(out, text.data, length);
    out[length] = '\0';
}

bool find(const char *index_name, int column, Oid type_equal, Datum value, Tenant *tenant) {
    Oid schema = get_namespace_oid("aegis", false);
    Relation relation = table_open(get_relname_relid("tenant", schema), AccessShareLock);
    // As in own_table: the newest snapshot, so that a tenant made in this transaction is found.
    Snapshot snapshot =
        RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot());
    ScanKeyData key;
    ScanKeyInit(&key, static_cast<AttrNumber>(column), BTEqualStrategyNumber, type_equal, value);
    SysScanDesc scan = systable_beginscan(relation, get_relname_relid(index_name, schema), true,
                                          snapshot, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    bool found = HeapTupleIsValid(tuple);
    if (found) {
        TupleDesc shape = RelationGetDescr(relation);
        bool null;
        tenant->id = *DatumGetUUIDP(heap_getattr(tuple, kId, shape, &null));
        copy_text(tenant->slug, sizeof tenant->slug, heap_getattr(tuple, kSlug, shape, &null));
        copy_text(tenant->region, sizeof tenant->region,
                  heap_getattr(tuple, kRegion, shape, &null));
        copy_text(tenant->status, sizeof tenant->status,
                  heap_getattr(tuple, kStatus, shape, &null));
        tenant->moved_to[0] = '\0';
        Datum moved_to = heap_getattr(tuple, kMovedTo, shape, &null);
        if (!null) copy_text(tenant->moved_to, sizeof tenant->moved_to, moved_to);
        tenant->active = strcmp(tenant->status, "active") == 0;
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(relation, AccessShareLock);
    return found;
}

void check_slug(const char *slug) {
    size_t length = strlen(slug);
    bool valid = length >= 1 && length <= 63 && slug[0] != '-' && slug[length - 1] != '-';
    for (size_t i = 0; valid && i < length; i++)
        valid = (slug[i] >= 'a' && slug[i] <= 'z') || (slug[i] >= '0' && slug[i] <= '9') ||
                slug[i] == '-';
    if (!valid)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("slug of a tenant is not valid"),
                 errhint("A slug is 1 to 63 characters of a-z, 0-9 and \"-\", with no \"-\" at "
                         "either end.")));
}

pg_uuid_t insert(const char *slug, const char *name, const char *region) {
    Oid types[] = {TEXTOID, TEXTOID, TEXTOID};
    Datum values[] = {CStringGetTextDatum(slug), CStringGetTextDatum(name),
                      CStringGetTextDatum(region)};
    SPI_connect();
    if (SPI_execute_with_args(
            "INSERT INTO aegis.tenant (slug, name, region) VALUES ($1, $2, $3) RETURNING id", 3,
            types, values, nullptr, false, 1) != SPI_OK_INSERT_RETURNING)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not insert into aegis.tenant")));
    bool null;
    pg_uuid_t id =
        *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    SPI_finish();
    return id;
}

// Suspends a tenant or lets it work again.
void set_active(FunctionCallInfo fcinfo, bool active) {
    pg_uuid_t id = id_argument(fcinfo);
    const char *reason =
        operator_way::required_text(fcinfo, 1, "reason", operator_way::kReasonBytes);
    require(id);

    pg::Identity before = pg::enter();
    const char *status = lock(id);
    if (strcmp(status, active ? "suspended" : "active") != 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        strcmp(status, "suspended") == 0 ? errmsg("tenant is suspended already")
                        : active && strcmp(status, "active") == 0
                            ? errmsg("tenant is not suspended")
                            : errmsg("tenant is %s",
                                     strcmp(status, "erasing") == 0 ? "being erased" : status)));
    Datum values[] = {UUIDPGetDatum(&id), CStringGetTextDatum(active ? "active" : "suspended")};
    pg::execute(update_status, values);
    if (active) ledger_tables::own_change([&] { pg::execute(forget_exports, values); });
    // At reactivation once more: a sign-in that was under way at the suspension must not live on.
    int64 ended = static_cast<int64>(session::end_of_tenant(id, "suspended"));

    const ledger::DetailPair pairs[] = {{"reason", reason, 0}, {"sessions", nullptr, ended}};
    uint8_t buffer[256];
    ledger::Event event{};
    event.type = active ? "tenant.reactivated" : "tenant.suspended";
    event.tenant = &id;
    event.target_kind = "tenant";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&id)));
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    pg::leave(before);
}

}  // namespace

bool find_by_slug(const char *slug, Tenant *tenant) {
    return find("tenant_slug_key", kSlug, F_TEXTEQ, CStringGetTextDatum(slug), tenant);
}

bool find_by_id(const pg_uuid_t &id, Tenant *tenant) {
    return find("tenant_pkey", kId, F_UUID_EQ, UUIDPGetDatum(&id), tenant);
}

void refuse_region(const char *what, const char *region) {
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_WRONG_REGION),
             errmsg("%s belongs to region \"%s\", this is \"%s\"", what, region, guc::region),
             errhint("Connect to the cluster of region \"%s\".", region),
             err_generic_string(PG_DIAG_CONSTRAINT_NAME, region)));
    pg_unreachable();
}

void refuse_moved(const char *region) {
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_TENANT_MOVED), errmsg("tenant moved to region \"%s\"", region),
             errhint("Connect to the cluster of region \"%s\".", region),
             err_generic_string(PG_DIAG_CONSTRAINT_NAME, region)));
    pg_unreachable();
}

void require_region(const Tenant &tenant) {
    if (tenant.moved_to[0] != '\0') refuse_moved(tenant.moved_to);
    if (strcmp(tenant.region, guc::region) != 0) refuse_region("tenant", tenant.region);
}

Tenant require(const pg_uuid_t &id) {
    Tenant tenant;
    if (!find_by_id(id, &tenant))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant does not exist")));
    require_region(tenant);
    return tenant;
}

const char *lock(const pg_uuid_t &id) {
    Datum key[] = {UUIDPGetDatum(&id)};
    if (pg::execute(lock_tenant, key) != 1)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN), errmsg("tenant does not exist")));
    bool is_null;
    return TextDatumGetCString(pg::column(0, 1, &is_null));
}

pg_uuid_t id_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0))
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tenant must not be null")));
    return *PG_GETARG_UUID_P(0);
}

}  // namespace aegis::tenant

using namespace aegis;

AEGIS_FUNCTION(aegis_create_tenant) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("slug and name of a tenant must not be null")));
    char *slug = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *region = PG_ARGISNULL(2) ? pstrdup(guc::region) : text_to_cstring(PG_GETARG_TEXT_PP(2));
    tenant::check_slug(slug);
    if (strcmp(region, guc::region) != 0) tenant::refuse_region("tenant to create", region);

    pg_uuid_t *id = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    *id = tenant::insert(slug, name, region);
    team::create_root(*id, name);
    key::create_tenant_keys(*id);

    const ledger::DetailPair pairs[] = {{"region", region, 0}, {"slug", slug, 0}};
    uint8_t buffer[256];
    ledger::Event event{};
    event.type = "tenant.created";
    event.tenant = id;
    event.target_kind = "tenant";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    PG_RETURN_UUID_P(id);
}

AEGIS_FUNCTION(aegis_suspend_tenant) {
    tenant::set_active(fcinfo, false);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_reactivate_tenant) {
    tenant::set_active(fcinfo, true);
    PG_RETURN_VOID();
}

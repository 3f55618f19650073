// SPDX-License-Identifier: Apache-2.0
// Verifies a signed request. Until the signature is known to be right, every way takes the same
// steps: an unknown key is tried with a secret that nobody has.
#include "core/random.hpp"
#include "service.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "service_nonce.hpp"
#include "team.hpp"
#include "tenant.hpp"

namespace aegis::service {

namespace {

// Numbers of columns, as the install script makes them.
namespace column {
enum Service { id = 1, tenant_id, rank, scopes, name, keys_made, created_at, retired_at };
namespace secret {
enum Secret { key_id = 1, service_id, secret, created_at, retired_at };
}
}  // namespace column

bool is_refusal(const pg::Report &report) {
    return report.failed && (report.sqlstate == ERRCODE_INVALID_TEXT_REPRESENTATION ||
                             report.sqlstate == AEGIS_ERRCODE_CANNOT_OPEN ||
                             report.sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

int64_t now_seconds() {
    return GetCurrentTimestamp() / USECS_PER_SEC +
           (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64_t>(SECS_PER_DAY);
}

// The secret of a key in use, or one that nobody has and false.
bool find_secret(const char *key_id, Snapshot snapshot, pg_uuid_t *service, core::ByteSpan out) {
    ScanKeyData key;
    ScanKeyInit(&key, column::secret::key_id, BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(key_id));
    own_table::Scan scan = own_table::begin("service_secret", &key, 1, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    core::ByteView sealed;
    if (row != nullptr) {
        bool retired, is_null;
        auto get = [&](int number, bool *null) {
            return own_table::column(scan, row, number, null);
        };
        get(column::secret::retired_at, &retired);
        retired = !retired;
        *service = *DatumGetUUIDP(get(column::secret::service_id, &is_null));
        Datum value = get(column::secret::secret, &is_null);
        if (!retired)
            sealed = pg::varlena_view(PointerGetDatum(pg::copy_varlena(pg::varlena_view(value))));
    }
    own_table::end(scan);
    if (sealed.size > 0)
        open_secret(key_id, sealed, out);
    else
        pg::raise(pg::run([&] { core::random_secret(out); }));
    return sealed.size > 0;
}

bool find_service(const pg_uuid_t &id, Snapshot snapshot, Service *service) {
    ScanKeyData key;
    ScanKeyInit(&key, column::id, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&id));
    own_table::Scan scan = own_table::begin_one("service", &key, 1, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    bool in_use = false;
    if (row != nullptr) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        service->id = id;
        service->rank = DatumGetInt16(get(column::rank));
        service->scopes = DatumGetArrayTypePCopy(get(column::scopes));
        Datum tenant = get(column::tenant_id);
        if (!is_null) service->tenant = *DatumGetUUIDP(tenant);
        get(column::retired_at);
        in_use = is_null;
    }
    own_table::end(scan);
    return in_use;
}

// As of a session: younger than the lock on the numbers of the tenant's teams.
Verdict find_place(Service *service) {
    team::hold_numbers(service->tenant);
    tenant::Tenant tenant;
    if (!tenant::find_by_id(service->tenant, &tenant)) return Verdict::invalid;
    bool moved = tenant.moved_to[0] != '\0';
    strlcpy(service->region, moved ? tenant.moved_to : tenant.region, sizeof service->region);
    if (moved) return Verdict::moved;
    pg_uuid_t team;
    if (!tenant.active ||
        !tenant::root_team(tenant.id, &team, &service->team_ord, &service->team_last_ord))
        return Verdict::invalid;
    service->limits = limit::of_tenant(tenant.id);
    return strcmp(service->region, guc::region) == 0 ? Verdict::valid : Verdict::misdirected;
}

bool is_timely(const core::ServiceSignature &signature, int64_t now) {
    int64_t window = guc::signature_window_seconds;
    return signature.created >= now - window && signature.created <= now + window &&
           (signature.expires == 0 || signature.expires >= now);
}

}  // namespace

Verdict verify(const core::HttpRequest &request, Service *service) {
    memset(service, 0, sizeof *service);
    core::ServiceSignature signature;
    pg::Report read = pg::run([&] { core::read_service_signature(request, &signature); });
    if (is_refusal(read)) return Verdict::invalid;
    pg::raise(read);

    Snapshot snapshot = own_table::latest();
    pg_uuid_t id;
    uint8_t secret[kSecretBytes];
    bool known = find_secret(signature.key_id, snapshot, &id, secret);
    pg::Report verified =
        pg::run([&] { core::verify_service_signature(request, core::ByteView(secret)); });
    core::wipe(secret);
    if (!is_refusal(verified)) pg::raise(verified);
    known = known && !verified.failed && find_service(id, snapshot, service);
    UnregisterSnapshot(snapshot);
    int64_t now = now_seconds();
    if (!known || !is_timely(signature, now)) return Verdict::invalid;
    Verdict verdict = has_tenant(*service) ? find_place(service) : Verdict::valid;
    if (verdict != Verdict::valid) return verdict;
    switch (service_nonce::claim(signature.key_id, signature.nonce, signature.created, now,
                                 &service->retry_after)) {
        case service_nonce::Claim::fresh:
            return Verdict::valid;
        case service_nonce::Claim::used:
            return Verdict::replayed;
        case service_nonce::Claim::not_ready:
            break;
    }
    return Verdict::not_ready;
}

bool has_tenant(const Service &service) {
    const pg_uuid_t none{};
    return memcmp(&service.tenant, &none, sizeof none) != 0;
}

bool has_scope(const Service &service, const char *scope) {
    Datum *scopes;
    int count;
    deconstruct_array(service.scopes, TEXTOID, -1, false, TYPALIGN_INT, &scopes, nullptr, &count);
    for (int i = 0; i < count; i++)
        if (strcmp(TextDatumGetCString(scopes[i]), scope) == 0) return true;
    return false;
}

void establish(const Service &service, const char *ip, const char *user_agent,
               const char *request_id) {
    context::Context context{};
    context.tenant = service.tenant;
    context.session = service.id;
    context.way = context::Way::service;
    context.expires_at =
        GetCurrentTimestamp() + static_cast<int64>(guc::transaction_timeout) * USECS_PER_SEC;
    limit::give(service.limits, &context);
    const pg_uuid_t nobody{};
    context::set_ranges(context, service.rank, nobody, service.team_ord, service.team_last_ord);
    context::set_origin(context, ip, user_agent, request_id);
    context::establish(context);
}

}  // namespace aegis::service

// SPDX-License-Identifier: Apache-2.0
// Verifies a webhook against the secrets of its endpoint, and tells SQL afterwards which endpoint
// and secret it was.
#include "core/webhook_signature.hpp"

#include "webhook.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "webhook_secret.hpp"

namespace aegis::webhook {

namespace {

// Numbers of columns, as the install script makes them.
namespace column {
enum Endpoint {
    id = 1,
    tenant_id,
    provider,
    account,
    live,
    currency,
    manual_capture,
    keys_made,
    created_at,
    disabled_at
};
namespace provider_of {
enum Provider { name = 1, scheme };
}
}  // namespace column

// What the transaction's webhook was verified with. It counts only beside a context of the
// endpoint.
struct Verified {
    pg_uuid_t endpoint;
    char key_id[64];
    char message_id[kMostMessageIdBytes + 1];
    uint8_t digest[32];
    size_t body_bytes;
} verified;

int64 seconds_of(TimestampTz time) {
    return time / USECS_PER_SEC +
           (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64>(SECS_PER_DAY);
}

// The id that Standard Webhooks sign; other providers have theirs in the body.
const char *message_id(const http::Headers &headers) {
    const char *id = http::header(headers, "webhook-id");
    return id != nullptr ? id : http::header(headers, "svix-id");
}

bool find_scheme(const char *provider, core::WebhookScheme *scheme) {
    ScanKeyData key;
    ScanKeyInit(&key, column::provider_of::name, BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(provider));
    own_table::Scan scan = own_table::begin("webhook_provider", &key);
    HeapTuple row = own_table::next(scan);
    bool is_null, found = row != nullptr;
    char *name = nullptr;
    if (found)
        name = TextDatumGetCString(
            own_table::column(scan, row, column::provider_of::scheme, &is_null));
    own_table::end(scan);
    if (found) pg::raise(pg::run([&] { *scheme = core::webhook_scheme(name); }));
    return found;
}

}  // namespace

bool find_endpoint(const pg_uuid_t &id, Endpoint *endpoint) {
    memset(endpoint, 0, sizeof *endpoint);
    ScanKeyData key;
    ScanKeyInit(&key, column::id, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&id));
    own_table::Scan scan = own_table::begin("webhook_endpoint", &key);
    HeapTuple row = own_table::next(scan);
    bool found = row != nullptr;
    if (found) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        endpoint->id = id;
        endpoint->tenant = *DatumGetUUIDP(get(column::tenant_id));
        strlcpy(endpoint->provider, TextDatumGetCString(get(column::provider)),
                sizeof endpoint->provider);
        strlcpy(endpoint->account, TextDatumGetCString(get(column::account)),
                sizeof endpoint->account);
        endpoint->live = DatumGetBool(get(column::live));
        endpoint->manual_capture = DatumGetBool(get(column::manual_capture));
        Datum currency = get(column::currency);
        if (!is_null)
            strlcpy(endpoint->currency, TextDatumGetCString(currency), sizeof endpoint->currency);
        get(column::disabled_at);
        endpoint->in_use = is_null;
    }
    own_table::end(scan);
    return found && find_scheme(endpoint->provider, &endpoint->scheme);
}

core::WebhookVerdict judge(core::WebhookScheme scheme, std::string_view secret,
                           const http::Headers &headers, core::ByteView body, int64 now,
                           int64 tolerance) {
    core::HttpField *fields =
        static_cast<core::HttpField *>(palloc0(sizeof(core::HttpField) * (headers.count + 1)));
    for (int i = 0; i < headers.count; i++) {
        fields[i].name = headers.items[i].name;
        fields[i].value = headers.items[i].value;
    }
    core::AdyenItem item{};
    core::WebhookRequest request{};
    request.fields = fields;
    request.field_count = static_cast<size_t>(headers.count);
    request.body = body;
    if (scheme == core::WebhookScheme::adyen && read_adyen_item(body, &item)) request.item = &item;
    core::WebhookVerdict verdict = core::WebhookVerdict::missing;
    pg::raise(
        pg::run([&] { verdict = core::verify_webhook(scheme, secret, request, now, tolerance); }));
    return verdict;
}

core::WebhookVerdict verify(const Endpoint &endpoint, const http::Headers &headers,
                            core::ByteView body) {
    Secret secrets[kMostSecrets];
    int count = find_secrets(endpoint.id, secrets, kMostSecrets);
    core::WebhookVerdict best = core::WebhookVerdict::missing;
    memset(&verified, 0, sizeof verified);
    for (int i = 0; i < count; i++) {
        core::ByteSpan secret = open_secret(secrets[i]);
        core::WebhookVerdict verdict =
            judge(endpoint.scheme, {reinterpret_cast<const char *>(secret.data), secret.size},
                  headers, body, seconds_of(GetCurrentTimestamp()), kWindowSeconds);
        core::wipe(secret);
        if (verdict >= best && i > 0) continue;
        best = verdict;
        if (verdict != core::WebhookVerdict::valid) continue;
        verified.endpoint = endpoint.id;
        strlcpy(verified.key_id, secrets[i].key_id, sizeof verified.key_id);
        if (const char *id = message_id(headers))
            strlcpy(verified.message_id, id, sizeof verified.message_id);
        verified.body_bytes = body.size;
        key::body_digest(endpoint.tenant, body, verified.digest);
    }
    return best;
}

void establish(const Endpoint &endpoint, const tenant::Home &home, const char *ip,
               const char *user_agent, const char *request_id) {
    context::Context context{};
    context.tenant = endpoint.tenant;
    context.session = endpoint.id;
    context.way = context::Way::webhook;
    context.expires_at =
        GetCurrentTimestamp() + static_cast<int64>(guc::transaction_timeout) * USECS_PER_SEC;
    limit::give(home.limits, &context);
    const pg_uuid_t nobody{};
    // An invoice may be anybody's in the tenant; what asks for a rank is for people.
    context::set_ranges(context, context::kRankAdmin, nobody, home.team_ord, home.team_last_ord);
    context.rank = context::kRankNone;
    context::set_origin(context, ip, user_agent, request_id);
    context::establish(context);
}

}  // namespace aegis::webhook

using namespace aegis;

AEGIS_FUNCTION(aegis_verify_webhook) {
    char *scheme_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    core::ByteView secret = pg::varlena_view(PG_GETARG_DATUM(1));
    http::Headers *headers = static_cast<http::Headers *>(palloc0(sizeof(http::Headers)));
    if (!http::read_headers(PG_GETARG_ARRAYTYPE_P(2), headers))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("headers are not a list of names and values"),
                        errhint("Write ARRAY['Name', 'value', 'Name', 'value'].")));
    core::ByteView body = pg::varlena_view(PG_GETARG_DATUM(3));
    int64 now = webhook::seconds_of(PG_GETARG_TIMESTAMPTZ(4));
    int64 tolerance = PG_GETARG_INT32(5);
    if (tolerance < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("tolerance must not be negative")));
    core::WebhookScheme scheme = core::WebhookScheme::stripe;
    pg::raise(pg::run([&] { scheme = core::webhook_scheme(scheme_name); }));
    core::WebhookVerdict verdict =
        webhook::judge(scheme, {reinterpret_cast<const char *>(secret.data), secret.size}, *headers,
                       body, now, tolerance);
    PG_RETURN_TEXT_P(cstring_to_text(core::webhook_verdict_word(verdict)));
}

AEGIS_FUNCTION(aegis_verified_webhook) {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    constexpr int kColumns = 10;
    Datum values[kColumns];
    bool nulls[kColumns];
    memset(nulls, true, sizeof nulls);
    const context::Context *context = context::current();
    const webhook::Verified &v = webhook::verified;
    webhook::Endpoint endpoint;
    if (context != nullptr && context->way == context::Way::webhook &&
        memcmp(&context->session, &v.endpoint, sizeof v.endpoint) == 0 &&
        webhook::find_endpoint(v.endpoint, &endpoint)) {
        auto set = [&](int at, bool present, Datum value) {
            values[at] = value;
            nulls[at] = !present;
        };
        set(0, true, UUIDPGetDatum(&v.endpoint));
        set(1, true, CStringGetTextDatum(endpoint.provider));
        set(2, true, CStringGetTextDatum(endpoint.account));
        set(3, true, BoolGetDatum(endpoint.live));
        set(4, endpoint.currency[0] != '\0', CStringGetTextDatum(endpoint.currency));
        set(5, true, BoolGetDatum(endpoint.manual_capture));
        set(6, true, CStringGetTextDatum(v.key_id));
        set(7, v.message_id[0] != '\0', CStringGetTextDatum(v.message_id));
        set(8, true, PointerGetDatum(pg::copy_varlena(core::ByteView(v.digest))));
        set(9, true, Int32GetDatum(static_cast<int32>(v.body_bytes)));
    }
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

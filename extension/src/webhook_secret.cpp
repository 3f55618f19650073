// SPDX-License-Identifier: Apache-2.0
// Secrets of endpoints, sealed as those of services are: under the system's own keys, for a
// signature is verified before there is a context, and bound to the id of their key.
#include "core/envelope.hpp"
#include "core/webhook_signature.hpp"

#include "own_table.hpp"
#include "pg/function.hpp"
#include "service.hpp"
#include "webhook.hpp"
#include "webhook_secret.hpp"

namespace aegis::webhook {

namespace {

// Numbers of columns, as the install script makes them.
namespace column {
enum Secret { key_id = 1, endpoint_id, tenant_id, secret, created_at, not_after, retired_at };
}

bool is_in_use(const own_table::Scan &scan, HeapTuple row) {
    bool is_null;
    own_table::column(scan, row, column::retired_at, &is_null);
    if (!is_null) return false;
    Datum until = own_table::column(scan, row, column::not_after, &is_null);
    return is_null || DatumGetTimestampTz(until) > GetCurrentTimestamp();
}

}  // namespace

int find_secrets(const pg_uuid_t &endpoint, Secret *secrets, int most) {
    ScanKeyData key;
    ScanKeyInit(&key, column::endpoint_id, BTEqualStrategyNumber, F_UUID_EQ,
                UUIDPGetDatum(&endpoint));
    own_table::Scan scan = own_table::begin("webhook_secret", &key, 1, "webhook_secret_endpoint");
    int count = 0;
    for (HeapTuple row; count < most && (row = own_table::next(scan)) != nullptr;) {
        if (!is_in_use(scan, row)) continue;
        bool is_null;
        Secret &secret = secrets[count++];
        secret.key_id = TextDatumGetCString(own_table::column(scan, row, column::key_id, &is_null));
        Datum sealed = own_table::column(scan, row, column::secret, &is_null);
        secret.sealed =
            pg::varlena_view(PointerGetDatum(pg::copy_varlena(pg::varlena_view(sealed))));
    }
    own_table::end(scan);
    return count;
}

core::ByteSpan open_secret(const Secret &secret) {
    size_t size = 0;
    core::ByteView sealed = secret.sealed;
    pg::raise(pg::run([&] { size = core::envelope_plaintext_size(core::parse_envelope(sealed)); }));
    core::ByteSpan opened{static_cast<uint8_t *>(palloc(size + 1)), size};
    service::open_secret(secret.key_id, sealed, opened);
    return opened;
}

}  // namespace aegis::webhook

using namespace aegis;

AEGIS_FUNCTION(aegis_seal_webhook_secret) {
    char *scheme_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *key_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
    core::ByteView secret = pg::varlena_view(PG_GETARG_DATUM(2));
    pg::raise(pg::run([&] {
        core::check_webhook_secret(core::webhook_scheme(scheme_name),
                                   {reinterpret_cast<const char *>(secret.data), secret.size});
    }));
    PG_RETURN_BYTEA_P(service::seal_secret(key_id, secret));
}

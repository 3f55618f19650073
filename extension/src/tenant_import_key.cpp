// SPDX-License-Identifier: Apache-2.0
// The keys to which exports for this database are sealed.
#include "core/encoding.hpp"
#include "core/envelope.hpp"
#include "core/random.hpp"
#include "tenant_import_key.hpp"

#include "guc.hpp"
#include "key.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/wiping.hpp"

namespace aegis::tenant_import {

namespace {

const pg_uuid_t nobody = {};  // the system

// An envelope under the system's own key, as personal data of the system's entries are.
void open_private(core::ByteView envelope, core::ByteSpan out) {
    core::EnvelopeParts parts;
    pg::raise(pg::run([&] { parts = core::parse_envelope(envelope); }));
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = key::audit_cipher(nobody, &epoch);
    pg::raise(pg::run([&] {
        core::Binding binding;
        binding.tenant = pg::view_of(nobody);
        core::open_envelope(*cipher, parts, binding, out);
    }));
}

pg::Statement find_key = {
    "SELECT k.private_key FROM aegis.import_key k WHERE k.public_key OPERATOR(pg_catalog.=) $1"
    " AND k.used_at IS NULL AND k.expires_at OPERATOR(pg_catalog.>) pg_catalog.now() FOR UPDATE",
    1,
    {BYTEAOID},
    nullptr};

pg::Statement use_key = {
    "UPDATE aegis.import_key SET private_key = NULL, tenant_id = $2, used_at = pg_catalog.now()"
    " WHERE public_key OPERATOR(pg_catalog.=) $1",
    2,
    {BYTEAOID, UUIDOID},
    nullptr};

pg::Statement insert_key = {
    "INSERT INTO aegis.import_key (public_key, private_key, made_by, expires_at)"
    " VALUES ($1, $2, $3, pg_catalog.now() OPERATOR(pg_catalog.+) '7 days'::pg_catalog.interval)",
    3,
    {BYTEAOID, BYTEAOID, TEXTOID},
    nullptr};

}  // namespace

bool private_key_of(core::ByteView public_key, core::ByteSpan out) {
    Datum values[] = {PointerGetDatum(pg::copy_varlena(public_key))};
    if (pg::execute(find_key, values) != 1) return false;
    bool is_null;
    open_private(pg::varlena_view(pg::column(0, 1, &is_null)), out);
    return true;
}

void destroy_key(core::ByteView public_key, const pg_uuid_t &tenant) {
    Datum values[] = {PointerGetDatum(pg::copy_varlena(public_key)), UUIDPGetDatum(&tenant)};
    pg::execute(use_key, values);
}

}  // namespace aegis::tenant_import

using namespace aegis;

AEGIS_FUNCTION(aegis_import_key) {
    pg::Identity before = pg::enter();
    uint8_t own[core::kKeyBytes], shown[core::kHpkeKeyBytes];
    struct varlena *envelope = pg::alloc_varlena(ledger::personal_room(sizeof own));
    pg::wiping(own, [&] {
        pg::raise(pg::run([&] {
            core::Key32 key;
            core::random_secret(key.span());
            core::hpke_public_key(key, shown);
            memcpy(own, key.view().data, sizeof own);
        }));
        size_t size = ledger::seal_personal(tenant_import::nobody, own, pg::payload(envelope));
        SET_VARSIZE(envelope, VARHDRSZ + size);
    });
    Datum values[] = {PointerGetDatum(pg::copy_varlena(shown)), PointerGetDatum(envelope),
                      CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))};
    pg::execute(tenant_import::insert_key, values);
    pg::leave(before);
    char hex[2 * sizeof shown + 1] = {};
    core::to_hex(shown, hex);
    PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s:%s", guc::region, hex)));
}

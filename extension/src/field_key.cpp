// SPDX-License-Identifier: Apache-2.0
// The key of one field of one tenant leaves the database, sealed for an application.
// docs/client.md.
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/field_key.hpp"
#include "core/kdf.hpp"
#include "field.hpp"

#include "charge.hpp"
#include "key.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"

namespace aegis::field {

namespace {

// Derived here and not taken from the cache, which keeps ciphers and not keys.
pg::Report derive(const key::Root &root, const pg_uuid_t &tenant, core::Purpose purpose,
                  uint32_t reference, uint8_t out[core::kKeyBytes]) {
    return pg::run([&] {
        core::Key32 derived;
        core::derive_key(core::Key32(root.key), {},
                         {purpose, key::tenant_name(tenant), root.epoch, reference}, derived);
        memcpy(out, derived.view().data, core::kKeyBytes);
    });
}

char *seal_key(const pg_uuid_t &tenant, const Field &field, core::ByteView recipient,
               uint32_t *epoch) {
    key::Root root, index{};
    if (field.type->reference != 0)
        key::load_root(tenant, key::RootKind::index, key::kCurrentEpoch, &index);
    key::load_root(tenant, key::RootKind::root, key::kCurrentEpoch, &root);
    core::FieldKey key{};
    key.suite = root.suite;
    key.type = field.type->kind->plaintext;
    key.normaliser = field.type->kind->normaliser;
    key.epoch = *epoch = root.epoch;
    key.field = field.reference;
    key.type_reference = field.type->reference;
    memcpy(key.tenant, tenant.data, sizeof key.tenant);
    pg::Report report = derive(root, tenant, core::Purpose::encrypt, field.reference, key.key);
    if (!report.failed && field.type->reference != 0)
        report =
            derive(index, tenant, core::Purpose::blind_index, field.type->reference, key.index_key);
    core::wipe(root.key);
    core::wipe(index.key);
    char text[256] = {};
    if (!report.failed)
        report = pg::run([&] {
            const std::string made = core::seal_field_key(key, recipient);
            if (made.size() >= sizeof text)
                throw core::Error{core::Code::too_long, "field key is too long"};
            memcpy(text, made.data(), made.size());
        });
    core::wipe({reinterpret_cast<uint8_t *>(&key), sizeof key});
    if (report.failed)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("recipient is not a public key"),
                 errhint("aegis_keypair() of libaegis makes one.")));
    return pstrdup(text);
}

}  // namespace

}  // namespace aegis::field

using namespace aegis;

AEGIS_FUNCTION(aegis_seal_field_key) {
    // Nobody is granted it, and an owner of a database could grant it to themselves.
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner exports the key of a field")));
    int64 request = PG_GETARG_INT64(0);
    pg_uuid_t tenant = *PG_GETARG_UUID_P(1);
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(2));
    const char *recipient = text_to_cstring(PG_GETARG_TEXT_PP(3));
    const char *requested_by = text_to_cstring(PG_GETARG_TEXT_PP(4));
    const char *approved_by = text_to_cstring(PG_GETARG_TEXT_PP(5));
    const field::Field *field = field::find(field::reference_of(name));
    if (field == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("field \"%s\" does not exist", name)));
    if (field->type->kind->plaintext != core::PlaintextType::text)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("the key of field \"%s\" cannot be exported", name),
                        errdetail("Only fields that hold text can be sealed in an application.")));
    uint8_t public_key[core::kHpkeKeyBytes];
    pg::raise(pg::run([&] { core::from_hex(recipient, public_key); }));

    pg::Identity before = pg::enter();
    uint32_t epoch = 0;
    char *sealed = field::seal_key(tenant, *field, public_key, &epoch);
    // Charged before it leaves: a rollback takes back neither the key nor the trace of it.
    charge::Order order{};
    order.kind = charge::Kind::break_glass;
    order.event = "key.field_exported";
    order.tenant = tenant;
    order.target = name;
    order.detail = psprintf("request " INT64_FORMAT ", for %.64s", request, recipient);
    int slot = charge::open(order);
    const ledger::DetailPair pairs[] = {{"approved_by", approved_by, 0},
                                        {"epoch", nullptr, epoch},
                                        {"recipient", recipient, 0},
                                        {"request", nullptr, request},
                                        {"requested_by", requested_by, 0}};
    uint8_t buffer[512];
    ledger::Event event{"key.field_exported"};
    event.tenant = &tenant;
    event.target_kind = "field";
    event.target_id = name;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    charge::settle(slot);
    pg::leave(before);
    PG_RETURN_TEXT_P(cstring_to_text(sealed));
}

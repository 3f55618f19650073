// SPDX-License-Identifier: Apache-2.0
// A key that a tenant brought becomes the next epoch of its root. docs/key_adopt.md.
#include "core/brought_key.hpp"
#include "core/encoding.hpp"
#include "core/keyring.hpp"
#include "key_root.hpp"
#include "key_rotate.hpp"
#include "tenant_import_key.hpp"

#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tenant.hpp"

namespace aegis::key {

namespace {

// Also of a root that was destroyed: a key that had to go does not come back.
pg::Statement find_same = {
    "SELECT k.epoch FROM aegis.tenant_key k WHERE k.tenant_id OPERATOR(pg_catalog.=) $1 AND "
    "k.check_value OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, BYTEAOID},
    nullptr};

struct Brought {  // secret; whoever holds one wipes it
    uint8_t root[core::kKeyBytes];
    uint8_t check_value[core::kCheckValueBytes];
    bool random;
};

[[noreturn]] void refuse_recipient() {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                    errmsg("the sealed key is for another recipient or tenant, or was changed"),
                    errdetail("A key of aegis.import_key() serves once, within seven days."),
                    errhint("Make a new aegis.import_key(), and let the tenant seal its key for it "
                            "with aegis-keygen --tenant-key.")));
    pg_unreachable();
}

void unseal(const core::BroughtKey &sealed, const pg_uuid_t &tenant, Brought *out) {
    uint8_t own[core::kKeyBytes];
    if (!tenant_import::private_key_of(sealed.recipient, own)) refuse_recipient();
    out->random = false;
    pg::Report report = pg::run([&] {
        core::Key32 root;
        core::open_brought_key(sealed, core::Key32(own), pg::view_of(tenant), &root);
        core::root_check_value(root, pg::view_of(tenant), out->check_value);
        memcpy(out->root, root.view().data, sizeof out->root);
    });
    core::wipe(own);
    if (report.failed) refuse_recipient();
    out->random = !pg::run([&] { core::check_random_key(out->root); }).failed;
}

// Refuses a key that is no good.
void judge(const pg_uuid_t &tenant, const Brought &brought) {
    if (!brought.random)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the key is not random"),
                        errdetail("It has too few different bytes, is text, or counts."),
                        errhint("Let aegis-keygen --tenant-key make it, or draw 32 bytes from a "
                                "generator of random numbers.")));
    Datum values[] = {UUIDPGetDatum(&tenant),
                      PointerGetDatum(pg::copy_varlena(brought.check_value))};
    if (pg::execute(find_same, values) == 0) return;
    bool is_null;
    ereport(ERROR,
            (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("the tenant brought this key already"),
             errdetail("It is that of epoch %d.", DatumGetInt32(pg::column(0, 1, &is_null))),
             errhint("A new epoch needs a new key.")));
}

uint32_t take(const core::BroughtKey &sealed, const pg_uuid_t &tenant, Brought *brought) {
    unseal(sealed, tenant, brought);
    judge(tenant, *brought);
    NewRoot made;
    made.suite = core::Suite::xaes_256_gcm_committing;
    made.brought = brought->root;
    made.check_value = brought->check_value;
    return open_epoch(tenant, RootKind::root, made);
}

}  // namespace

}  // namespace aegis::key

using namespace aegis;

AEGIS_FUNCTION(aegis_open_brought_epoch) {
    // Nobody is granted it, and an owner of a database could grant it to themselves.
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner takes a tenant's key")));
    pg_uuid_t id = *PG_GETARG_UUID_P(0);
    core::ByteView text = pg::varlena_view(PG_GETARG_DATUM(1));
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("function returns a row")));
    core::BroughtKey sealed;
    if (pg::run([&] {
            core::parse_brought_key({reinterpret_cast<const char *>(text.data), text.size},
                                    &sealed);
        }).failed)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("sealed key is malformed"),
                        errhint("Pass it as aegis-keygen --tenant-key printed it.")));

    pg::Identity before = pg::enter();
    tenant::lock(id);
    key::Brought brought{};
    volatile uint32_t epoch = 0;
    PG_TRY();
    { epoch = key::take(sealed, id, &brought); }
    PG_FINALLY();
    { core::wipe(brought.root); }
    PG_END_TRY();
    tenant_import::destroy_key(sealed.recipient, id);
    int64 job = key::reseal_job(id);
    pg::leave(before);

    char check[2 * core::kCheckValueBytes + 1] = {};
    core::to_hex(brought.check_value, check);
    Datum values[] = {Int32GetDatum(static_cast<int32>(epoch)), Int64GetDatum(job),
                      CStringGetTextDatum(check)};
    bool nulls[] = {false, false, false};
    HeapTuple row = heap_form_tuple(BlessTupleDesc(shape), values, nulls);
    PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

// SPDX-License-Identifier: Apache-2.0
// All keys of data subjects at once: wrapped anew when their tenant's key is rotated, and verified.
#include "core/xaes.hpp"
#include "key_subject.hpp"

#include "key.hpp"
#include "key_cache.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"

namespace aegis::key {

namespace {

pg::Statement take_some = {
    "SELECT k.name, k.generation, k.epoch, k.wrapped FROM aegis.subject_key k WHERE k.tenant_id "
    "OPERATOR(pg_catalog.=) $1 AND k.epoch OPERATOR(pg_catalog.<) $2 AND k.wrapped IS NOT NULL "
    "LIMIT 1000 FOR NO KEY UPDATE",
    2,
    {UUIDOID, INT4OID},
    nullptr};

pg::Statement store_wrapped = {
    "UPDATE aegis.subject_key SET epoch = $4, wrapped = $5 WHERE tenant_id OPERATOR(pg_catalog.=) "
    "$1 AND name OPERATOR(pg_catalog.=) $2 AND generation OPERATOR(pg_catalog.=) $3",
    5,
    {UUIDOID, BYTEAOID, INT4OID, INT4OID, BYTEAOID},
    nullptr};

const core::Xaes *kek_of(const pg_uuid_t &tenant, uint32_t epoch) {
    return subject_kek(tenant, &epoch);
}

// The key in another wrapping; it is in memory meanwhile. False when it does not open.
bool rewrap(const pg_uuid_t &tenant, core::ByteView name, uint32_t generation, uint32_t from,
            uint32_t to, core::ByteView wrapped, uint8_t out[core::kWrappedRootBytes]) {
    kek_of(tenant, to);  // raises before a secret lies on the stack
    const core::Xaes *kek = kek_of(tenant, from);
    uint8_t root[core::kKeyBytes];
    if (pg::run([&] { core::unwrap_subject(*kek, name, generation, wrapped, root); }).failed)
        return false;
    kek = kek_of(tenant, to);  // a cipher is good until the next one is asked for
    pg::Report report = pg::run([&] { core::wrap_subject(*kek, name, generation, root, out); });
    core::wipe(root);
    pg::raise(report);
    return true;
}

struct GroupKey {  // without padding: hashed as bytes
    pg_uuid_t tenant;
    uint32 epoch;
};

struct Group {
    GroupKey key;
    int64 opened, failed;
    const char *fault;  // why the root that wraps cannot be used; nullptr when it can
};

Group *group_of(HTAB *groups, const GroupKey &key) {
    bool found;
    Group *group = static_cast<Group *>(hash_search(groups, &key, HASH_FIND, &found));
    if (found) return group;
    auto use = [&] { kek_of(key.tenant, key.epoch); };
    const ErrorData *error = pg::try_in_subtransaction(use);
    group = static_cast<Group *>(hash_search(groups, &key, HASH_ENTER, &found));
    group->opened = group->failed = 0;
    group->fault = error != nullptr ? error->message : nullptr;
    return group;
}

void count(Group *group, core::ByteView name, uint32_t generation, core::ByteView wrapped) {
    bool opens = false;
    if (group->fault == nullptr) {
        const core::Xaes *kek = kek_of(group->key.tenant, group->key.epoch);
        uint8_t root[core::kKeyBytes];
        opens =
            !pg::run([&] { core::unwrap_subject(*kek, name, generation, wrapped, root); }).failed;
        core::wipe(root);
    }
    (opens ? group->opened : group->failed)++;
}

}  // namespace

int64 rewrap_subjects(const pg_uuid_t &tenant, uint32_t epoch) {
    pg_uuid_t id = tenant;
    Datum key[] = {UUIDPGetDatum(&id), Int32GetDatum(static_cast<int32>(epoch))};
    uint64 found = pg::execute(take_some, key);
    SPITupleTable *rows = SPI_tuptable;
    int64 done = 0;
    for (uint64 i = 0; i < found; i++) {
        Datum row[4];
        bool is_null;
        for (int j = 0; j < 4; j++)
            row[j] = SPI_getbinval(rows->vals[i], rows->tupdesc, j + 1, &is_null);
        uint8_t wrapped[core::kWrappedRootBytes];
        if (!rewrap(tenant, pg::varlena_view(row[0]), static_cast<uint32_t>(DatumGetInt32(row[1])),
                    static_cast<uint32_t>(DatumGetInt32(row[2])), epoch, pg::varlena_view(row[3]),
                    wrapped))
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                     errmsg("wrapped key of a data subject cannot be opened"),
                     errdetail("The row of aegis.subject_key was changed, or belongs elsewhere."),
                     errhint("Restore the row from a backup, and resume the job.")));
        Datum values[] = {UUIDPGetDatum(&id), row[0], row[1],
                          Int32GetDatum(static_cast<int32>(epoch)),
                          PointerGetDatum(pg::copy_varlena(wrapped))};
        pg::execute(store_wrapped, values);
        done++;
    }
    return done;
}

}  // namespace aegis::key

using namespace aegis;

// (tenant, epoch of the root that wraps, keys that open, keys that do not, fault of the root)
AEGIS_FUNCTION(aegis_verify_subjects) {
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    HASHCTL control{};
    control.keysize = sizeof(key::GroupKey);
    control.entrysize = sizeof(key::Group);
    control.hcxt = CurrentMemoryContext;
    HTAB *groups =
        hash_create("aegis subject keys", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    own_table::Scan scan = own_table::begin("subject_key", nullptr);
    while (HeapTuple tuple = own_table::next(scan)) {
        bool is_null;
        key::GroupKey key{};
        key.tenant = *DatumGetUUIDP(own_table::column(scan, tuple, 1, &is_null));
        core::ByteView name = pg::varlena_view(own_table::column(scan, tuple, 2, &is_null));
        int32 generation = DatumGetInt32(own_table::column(scan, tuple, 3, &is_null));
        key.epoch = static_cast<uint32>(DatumGetInt32(own_table::column(scan, tuple, 4, &is_null)));
        Datum wrapped = own_table::column(scan, tuple, 5, &is_null);
        if (is_null) continue;
        key::count(key::group_of(groups, key), name, static_cast<uint32_t>(generation),
                   pg::varlena_view(wrapped));
        CHECK_FOR_INTERRUPTS();
    }
    own_table::end(scan);
    HASH_SEQ_STATUS each;
    hash_seq_init(&each, groups);
    while (key::Group *group = static_cast<key::Group *>(hash_seq_search(&each))) {
        Datum values[] = {UUIDPGetDatum(&group->key.tenant),
                          Int32GetDatum(static_cast<int32>(group->key.epoch)),
                          Int64GetDatum(group->opened), Int64GetDatum(group->failed),
                          group->fault != nullptr ? CStringGetTextDatum(group->fault) : 0};
        bool nulls[] = {false, false, false, false, group->fault == nullptr};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return static_cast<Datum>(0);
}

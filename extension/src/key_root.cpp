// SPDX-License-Identifier: Apache-2.0
#include "core/random.hpp"
#include "key_root.hpp"

#include "key.hpp"
#include "key_cache.hpp"
#include "key_master.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/wiping.hpp"
#include "role.hpp"

namespace aegis::key {

namespace {

// Columns of aegis.tenant_key.
enum Column {
    kTenant = 1,
    kKind = 2,
    kEpoch = 3,
    kMasterVersion = 4,
    kSalt = 5,
    kWrapped = 6,
    kState = 7,
    kFrozen = 9,
    kSuite = 10
};

constexpr uint32_t kFirstEpoch = 1;
constexpr size_t kSaltBytes = 32;

const char *const kKindNames[] = {"root", "index"};

struct Row {
    uint32_t epoch;
    uint32_t master_version;
    bool active;     // new seals use the newest such
    bool destroyed;  // there is nothing to unwrap any more
    bool frozen;
    core::Suite suite;
    uint8_t salt[kSaltBytes];
    uint8_t wrapped[core::kWrappedRootBytes];
};

bool text_is(Datum value, const char *text) {
    core::ByteView view = pg::varlena_view(value);
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

void copy_exactly(Datum value, uint8_t *out, size_t size) {
    core::ByteView view = pg::varlena_view(value);
    if (view.size != size)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("row of aegis.tenant_key has a value of wrong size")));
    memcpy(out, view.data, size);
}

// The row of an epoch, or the newest active one. False when there is none.
bool find_row(const pg_uuid_t &tenant, RootKind kind, uint32_t epoch, Row *row,
              Snapshot snapshot = nullptr) {
    ScanKeyData key;
    ScanKeyInit(&key, kTenant, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    own_table::Scan scan = own_table::begin("tenant_key", &key, 1, nullptr, snapshot);
    bool found = false;
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = own_table::next(scan))) {
        bool is_null = false;
        if (!text_is(own_table::column(scan, tuple, kKind, &is_null),
                     kKindNames[static_cast<int>(kind)]))
            continue;
        uint32_t row_epoch = DatumGetInt32(own_table::column(scan, tuple, kEpoch, &is_null));
        bool active = text_is(own_table::column(scan, tuple, kState, &is_null), "active");
        bool wanted = epoch == kCurrentEpoch
                          ? (!found || (active && (!row->active || row_epoch > row->epoch)))
                          : row_epoch == epoch;
        if (!wanted) continue;
        found = true;
        row->epoch = row_epoch;
        row->active = active;
        row->frozen = DatumGetBool(own_table::column(scan, tuple, kFrozen, &is_null));
        row->suite = static_cast<core::Suite>(
            DatumGetInt16(own_table::column(scan, tuple, kSuite, &is_null)));
        row->destroyed = text_is(own_table::column(scan, tuple, kState, &is_null), "destroyed");
        row->master_version = static_cast<uint32_t>(
            DatumGetInt64(own_table::column(scan, tuple, kMasterVersion, &is_null)));
        if (!row->destroyed) {
            copy_exactly(own_table::column(scan, tuple, kSalt, &is_null), row->salt,
                         sizeof row->salt);
            copy_exactly(own_table::column(scan, tuple, kWrapped, &is_null), row->wrapped,
                         sizeof row->wrapped);
        }
    }
    own_table::end(scan);
    return found;
}

bool is_nil(const pg_uuid_t &tenant) {
    static const pg_uuid_t nil = {};
    return memcmp(&tenant, &nil, sizeof nil) == 0;
}

bool insert_root(const pg_uuid_t &tenant, RootKind kind, uint32_t epoch,
                 const core::MasterKey &master, const NewRoot &made) {
    uint8_t salt[kSaltBytes], wrapped[core::kWrappedRootBytes];
    pg::Report report = pg::run([&] {
        core::Key32 root;
        if (made.brought.size == 0) core::random_secret(root.span());
        core::random_secret(salt);
        core::wrap_root(master, salt, tenant_name(tenant), epoch,
                        made.brought.size == 0 ? root.view() : made.brought, wrapped, made.suite);
    });
    pg::raise(report);
    pg_uuid_t id = tenant;
    Oid types[] = {UUIDOID, TEXTOID, INT4OID, INT8OID, BYTEAOID, BYTEAOID, INT2OID, BYTEAOID};
    bool has_check = made.check_value.size != 0;
    const char nulls[] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', has_check ? ' ' : 'n', '\0'};
    Datum values[] = {UUIDPGetDatum(&id),
                      CStringGetTextDatum(kKindNames[static_cast<int>(kind)]),
                      Int32GetDatum(epoch),
                      Int64GetDatum(master.version),
                      PointerGetDatum(pg::copy_varlena(salt)),
                      PointerGetDatum(pg::copy_varlena(wrapped)),
                      Int16GetDatum(static_cast<int16>(made.suite)),
                      has_check ? PointerGetDatum(pg::copy_varlena(made.check_value)) : Datum(0)};
    int result = SPI_execute_with_args(
        "INSERT INTO aegis.tenant_key (tenant_id, kind, epoch, master_version, salt, "
        "wrapped, state, suite, check_value) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8) "
        "ON CONFLICT (tenant_id, kind, epoch) DO NOTHING",
        8, types, values, nulls, false, 0);
    if (result != SPI_OK_INSERT)
        elog(ERROR, "could not store a root key: %s", SPI_result_code_string(result));
    return SPI_processed > 0;
}

core::ByteSpan bytes_of(core::MasterKey *master) {
    return {reinterpret_cast<uint8_t *>(master), sizeof *master};
}

// Runs `insert` with the active master key, in SPI and as the owner of the tables.
template <typename Insert>
void under_active_master(Insert &&insert) {
    core::MasterKey master;
    pg::wiping(bytes_of(&master), [&] {
        require_active_master(&master);
        Oid user;
        int security;
        GetUserIdAndSecContext(&user, &security);
        SPI_connect();
        SetUserIdAndSecContext(role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
        insert(master);
        SetUserIdAndSecContext(user, security);
        SPI_finish();
    });
}

}  // namespace

core::ByteView tenant_name(const pg_uuid_t &tenant) {
    return is_nil(tenant) ? core::ByteView() : pg::view_of(tenant);
}

void load_root(const pg_uuid_t &tenant, RootKind kind, uint32_t epoch, Root *out) {
    Row row{};
    if (!find_row(tenant, kind, epoch, &row))
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_KEY_MISSING),
                 is_nil(tenant) ? errmsg("the system has no keys in this database yet")
                 : epoch == kCurrentEpoch
                     ? errmsg("the tenant has no keys in this database")
                     : errmsg("the tenant has no key of epoch %u in this database", epoch),
                 is_nil(tenant)
                     ? errhint("Create the first tenant.")
                     : errhint("Restore aegis.tenant_key together with the data that it opens.")));
    Row seen{};
    if (kind == RootKind::index && epoch == kCurrentEpoch && ActiveSnapshotSet() &&
        find_row(tenant, kind, epoch, &seen, GetActiveSnapshot()) && seen.epoch < row.epoch)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the search key of the tenant was rotated by another transaction"),
                        errhint("Try again.")));
    if (row.destroyed)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_SHREDDED), errmsg("the key was destroyed"),
                        errdetail("What was sealed under it cannot be opened by anyone.")));
    core::MasterKey master;
    pg::Report report{};
    pg::wiping(bytes_of(&master), [&] {
        require_master(row.master_version, &master);
        report = pg::run([&] {
            core::unwrap_root(master, row.salt, tenant_name(tenant), row.epoch, row.wrapped,
                              out->key, row.suite);
        });
    });
    if (report.failed)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_CANNOT_OPEN), errmsg("wrapped root key cannot be opened"),
                 errdetail(
                     "The row of aegis.tenant_key does not belong to this tenant and master key."),
                 errhint("Restore the row from a backup.")));
    out->epoch = row.epoch;
    out->frozen = row.frozen;
    out->suite = row.suite;
}

uint32_t newest_epoch(const pg_uuid_t &tenant, RootKind kind) {
    Row row{};
    if (!find_row(tenant, kind, kCurrentEpoch, &row) || row.destroyed) return 0;
    return row.epoch;
}

uint32_t open_epoch(const pg_uuid_t &tenant, RootKind kind, NewRoot made) {
    // The roots before it must open: a tenant whose master key is wrong or missing gets no new one.
    Root before;
    load_root(tenant, kind, kCurrentEpoch, &before);
    core::wipe(before.key);
    uint32_t epoch = before.epoch + 1;
    if (before.suite == core::Suite::xaes_256_gcm_committing) made.suite = before.suite;
    bool inserted = false;
    under_active_master([&](const core::MasterKey &master) {
        inserted = insert_root(tenant, kind, epoch, master, made);
    });
    if (!inserted)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the key was rotated by another transaction")));
    CommandCounterIncrement();
    key_cache::announce_change();
    return epoch;
}

bool create_roots(const pg_uuid_t &tenant) {
    Row row{};
    bool has[] = {find_row(tenant, RootKind::root, kFirstEpoch, &row),
                  find_row(tenant, RootKind::index, kFirstEpoch, &row)};
    if (has[0] && has[1]) return false;
    bool made = false;
    under_active_master([&](const core::MasterKey &master) {
        for (RootKind kind : {RootKind::root, RootKind::index})
            if (!has[static_cast<int>(kind)])
                made |= insert_root(tenant, kind, kFirstEpoch, master, {});
    });
    CommandCounterIncrement();
    key_cache::expect_abort();
    return made;
}

}  // namespace aegis::key

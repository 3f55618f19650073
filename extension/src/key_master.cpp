// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"
#include "core/kdf.hpp"
#include "key_master.hpp"

#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "region.hpp"
#include "role.hpp"

namespace aegis::key {

namespace {

enum Column { kVersion = 1, kCheckValue = 2 };

constexpr size_t kCheckHexBytes = 2 * core::kCheckValueBytes + 1;

// Runs `read` against a state of the page in which no replacement was going on. Everything it reads
// is plain bytes, so a torn first try does no harm.
template <typename Read>
void read_consistently(const Page &from, Read &&read) {
    for (;;) {
        uint32_t before = from.sequence.load(std::memory_order_acquire);
        if (before % 2 == 0) {
            read(from);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (from.sequence.load(std::memory_order_relaxed) == before) return;
        }
        pg_usleep(1000);
    }
}

void check_value_of(const core::MasterKey &master, uint8_t out[core::kCheckValueBytes]) {
    pg::raise(pg::run([&] { core::master_check_value(master, out); }));
}

// The registered check value of a version; false when there is none.
bool registered_check(uint32_t version, uint8_t out[core::kCheckValueBytes]) {
    ScanKeyData key;
    ScanKeyInit(&key, kVersion, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version));
    own_table::Scan scan = own_table::begin("master_key", &key);
    HeapTuple tuple = own_table::next(scan);
    bool found = false;
    if (HeapTupleIsValid(tuple)) {
        bool is_null = false;
        core::ByteView value =
            pg::varlena_view(own_table::column(scan, tuple, kCheckValue, &is_null));
        found = value.size == core::kCheckValueBytes;
        if (found) memcpy(out, value.data, core::kCheckValueBytes);
    }
    own_table::end(scan);
    return found;
}

bool any_registered() {
    own_table::Scan scan = own_table::begin("master_key", nullptr);
    bool any = HeapTupleIsValid(own_table::next(scan));
    own_table::end(scan);
    return any;
}

void missing(uint32_t version) {
    Fault fault;
    bool any = false;
    read_consistently(page(), [&](const Page &from) {
        fault = from.fault;
        any = from.keyring.count > 0;
    });
    if (fault.message[0] != '\0')
        ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_MISSING), errmsg("master key is not available"),
                        errdetail("%s", fault.message), errhint("%s", fault.hint)));
    if (!any)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_KEY_MISSING), errmsg("master key is not available"),
                 errdetail("The setting aegis.key_provider delivers no key."),
                 errhint("Create a key file with aegis-keygen and set aegis.key_provider to it.")));
    ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_MISSING),
                    errmsg("master key version %u is not available", version),
                    errdetail("The key provider delivers other versions."),
                    errhint("Add the missing version to the key provider.")));
}

void mismatch(uint32_t version, const uint8_t *stored, const uint8_t *delivered) {
    char stored_hex[kCheckHexBytes] = {}, delivered_hex[kCheckHexBytes] = {};
    core::to_hex({stored, core::kCheckValueBytes}, stored_hex);
    core::to_hex({delivered, core::kCheckValueBytes}, delivered_hex);
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_KEY_CHECK),
             errmsg("master key version %u does not match this database", version),
             errdetail("The database expects check value %s, the key provider delivers %s.",
                       stored_hex, delivered_hex),
             errhint("Point aegis.key_provider to the key that this database was created with.")));
}

// Versions whose check value was compared under one generation of the page.
struct Verified {
    uint64_t generation;
    int count;
    uint32_t versions[core::kMaxMasterVersions];
} verified;

bool is_verified(uint32_t version) {
    if (verified.generation != page().generation.load(std::memory_order_acquire)) return false;
    for (int i = 0; i < verified.count; i++)
        if (verified.versions[i] == version) return true;
    return false;
}

void remember_verified(uint32_t version) {
    uint64_t generation = page().generation.load(std::memory_order_acquire);
    if (verified.generation != generation) verified = {generation, 0, {}};
    if (verified.count < core::kMaxMasterVersions) verified.versions[verified.count++] = version;
}

void insert_check(uint32_t version, const uint8_t *check) {
    struct varlena *bytes = pg::copy_varlena({check, core::kCheckValueBytes});
    Oid types[] = {INT8OID, BYTEAOID};
    Datum values[] = {Int64GetDatum(version), PointerGetDatum(bytes)};
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    SPI_connect();
    SetUserIdAndSecContext(role::owner(), security | SECURITY_LOCAL_USERID_CHANGE);
    // Two first tenants at once: the later waits and finds the row.
    int result = SPI_execute_with_args(
        "INSERT INTO aegis.master_key (version, check_value, state) "
        "VALUES ($1, $2, 'registered') ON CONFLICT (version) DO NOTHING",
        2, types, values, nullptr, false, 0);
    uint64 inserted = SPI_processed;
    SetUserIdAndSecContext(user, security);
    SPI_finish();
    if (result != SPI_OK_INSERT)
        elog(ERROR, "could not register master key: %s", SPI_result_code_string(result));
    if (inserted == 0) return;
    char hex[kCheckHexBytes] = {};
    core::to_hex({check, core::kCheckValueBytes}, hex);
    uint8_t buffer[128];
    ledger::DetailPair pairs[] = {{"check_value", hex, 0}, {"version", nullptr, version}};
    ledger::Event event{"key.master_registered"};
    event.target_kind = "master_key";
    event.target_id = psprintf("%u", version);
    event.detail = ledger::encode_detail(pairs, 2, buffer);
    ledger::append(event);
}

// A keyring belongs to this database when one of its keys is registered and none contradicts.
bool keyring_is_known() {
    core::Keyring provided;
    Fault fault;
    copy_provided(&provided, &fault);
    bool known = false;
    for (int i = 0; i < provided.count; i++) {
        uint8_t stored[core::kCheckValueBytes], delivered[core::kCheckValueBytes];
        if (!registered_check(provided.keys[i].version, stored)) continue;
        check_value_of(provided.keys[i], delivered);
        if (memcmp(stored, delivered, sizeof stored) != 0) {
            uint32_t version = provided.keys[i].version;
            core::wipe({reinterpret_cast<uint8_t *>(&provided), sizeof provided});
            mismatch(version, stored, delivered);
        }
        known = true;
    }
    core::wipe({reinterpret_cast<uint8_t *>(&provided), sizeof provided});
    return known;
}

}  // namespace

const Page &page() {
    static bool is_protected = false;
    const Page *at = region::key_page();
    if (at == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("aegis must be loaded via shared_preload_libraries")));
    if (!is_protected && IsUnderPostmaster) {
        region::protect_key_page();
        is_protected = true;
    }
    return *at;
}

bool copy_master(uint32_t version, core::MasterKey *out) {
    bool found = false;
    read_consistently(page(), [&](const Page &from) {
        found = false;
        int count = Min(Max(from.keyring.count, 0), core::kMaxMasterVersions);
        for (int i = 0; i < count; i++) {
            // Versions ascend: the last one is the active one.
            if (from.keyring.keys[i].version == version ||
                (version == kActiveVersion && i == count - 1)) {
                *out = from.keyring.keys[i];
                found = true;
            }
        }
    });
    return found;
}

void copy_provided(core::Keyring *keyring, Fault *fault) {
    read_consistently(page(), [&](const Page &from) {
        *keyring = from.keyring;
        *fault = from.fault;
    });
}

void require_master(uint32_t version, core::MasterKey *out) {
    if (!copy_master(version, out)) missing(version);
    if (is_verified(version)) return;
    uint8_t stored[core::kCheckValueBytes], delivered[core::kCheckValueBytes];
    check_value_of(*out, delivered);
    bool registered = registered_check(version, stored);
    if (!registered || memcmp(stored, delivered, sizeof stored) != 0) {
        core::wipe({reinterpret_cast<uint8_t *>(out), sizeof *out});
        if (registered) mismatch(version, stored, delivered);
        ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_CHECK),
                        errmsg("master key version %u is not registered in this database", version),
                        errhint("Restore aegis.master_key together with the other tables.")));
    }
    remember_verified(version);
}

void require_active_master(core::MasterKey *out) {
    if (!copy_master(kActiveVersion, out)) missing(kActiveVersion);
    uint8_t stored[core::kCheckValueBytes], delivered[core::kCheckValueBytes];
    if (!registered_check(out->version, stored)) {
        check_value_of(*out, delivered);
        uint32_t version = out->version;
        if (any_registered() && !keyring_is_known()) {
            core::wipe({reinterpret_cast<uint8_t *>(out), sizeof *out});
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_KEY_CHECK),
                     errmsg("master key version %u does not match this database", version),
                     errdetail("The key provider delivers no version that this database knows."),
                     errhint("A next version is accepted only beside the one before it.")));
        }
        insert_check(version, delivered);
        CommandCounterIncrement();
    }
    uint32_t version = out->version;
    require_master(version, out);
}

}  // namespace aegis::key

// SPDX-License-Identifier: Apache-2.0
// What the rest of the extension asks for: ciphers, tokens, a new tenant's keys.
#include "core/digest.hpp"
#include "core/encoding.hpp"
#include "core/envelope_key.hpp"
#include "core/random.hpp"
#include "core/xaes.hpp"
#include "key.hpp"

#include "guc.hpp"
#include "key_cache.hpp"
#include "key_master.hpp"
#include "key_provider.hpp"
#include "key_root.hpp"
#include "key_shred.hpp"
#include "key_subject.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/subtransaction.hpp"
#include "region.hpp"

namespace aegis::key {

namespace {

bool is_nil(const pg_uuid_t &tenant) {
    return tenant_name(tenant).size == 0;
}

// The system's own keys come into being when they are first needed for writing: no one creates the
// system as one creates a tenant. A restore must find the table empty, a reader cannot write.
void ensure_system_keys(const pg_uuid_t &tenant, uint32_t epoch) {
    static uint64_t known = 0;
    if (!is_nil(tenant) || epoch != kCurrentEpoch || known == key_cache::version()) return;
    if (!XactReadOnly && !RecoveryInProgress() && !IsInParallelMode() && !guc::restore_mode)
        create_tenant_keys(tenant);
    known = key_cache::version();
}

const key_cache::Entry *derived(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch,
                                uint32_t reference, key_cache::Form form) {
    ensure_system_keys(tenant, epoch);
    return key_cache::derive(tenant, purpose, epoch, reference, form);
}

}  // namespace

const core::EnvelopeKey *field_cipher(const pg_uuid_t &tenant, uint32_t field, uint32_t *epoch) {
    const key_cache::Entry *entry =
        derived(tenant, core::Purpose::encrypt, *epoch, field, key_cache::Form::cipher);
    *epoch = entry->epoch;
    return entry->cipher;
}

const core::EnvelopeKey *audit_cipher(const pg_uuid_t &tenant, uint32_t *epoch) {
    const key_cache::Entry *entry =
        derived(tenant, core::Purpose::audit, *epoch, 0, key_cache::Form::cipher);
    *epoch = entry->epoch;
    return entry->cipher;
}

const core::EnvelopeKey *outbound_cipher(const pg_uuid_t &tenant, uint32_t *epoch) {
    const key_cache::Entry *entry =
        derived(tenant, core::Purpose::outbound, *epoch, 0, key_cache::Form::cipher);
    *epoch = entry->epoch;
    return entry->cipher;
}

const core::EnvelopeKey *service_cipher(uint32_t *epoch) {
    const pg_uuid_t system{};
    const key_cache::Entry *entry =
        derived(system, core::Purpose::service, *epoch, 0, key_cache::Form::cipher);
    *epoch = entry->epoch;
    return entry->cipher;
}

const core::EnvelopeKey *issuer_cipher(uint32_t *epoch) {
    const pg_uuid_t system{};
    const key_cache::Entry *entry =
        derived(system, core::Purpose::issuer, *epoch, 0, key_cache::Form::cipher);
    *epoch = entry->epoch;
    return entry->cipher;
}

void search_token(const pg_uuid_t &tenant, uint32_t type_reference, core::ByteView normalised,
                  uint8_t out[core::kTokenBytes]) {
    const key_cache::Entry *entry = derived(tenant, core::Purpose::blind_index, kCurrentEpoch,
                                            type_reference, key_cache::Form::search);
    pg::raise(pg::run([&] { core::search_token(*entry->search, normalised, out); }));
}

void login_token(const pg_uuid_t &tenant, core::ByteView normalised, uint8_t out[32]) {
    const key_cache::Entry *entry =
        derived(tenant, core::Purpose::login, kCurrentEpoch, 0, key_cache::Form::bytes);
    pg::raise(pg::run([&] {
        core::Digest digest = core::hmac_sha256(entry->key, normalised);
        memcpy(out, digest.bytes, sizeof digest.bytes);
    }));
}

void body_digest(const pg_uuid_t &tenant, core::ByteView body, uint8_t out[32]) {
    const key_cache::Entry *entry =
        derived(tenant, core::Purpose::body_digest, kCurrentEpoch, 0, key_cache::Form::bytes);
    pg::raise(pg::run([&] {
        core::Digest digest = core::hmac_sha256(entry->key, body);
        memcpy(out, digest.bytes, sizeof digest.bytes);
    }));
}

const core::Xaes *boot_cipher(core::ByteView *boot_id) {
    static core::Xaes *cipher = nullptr;
    const Page &from = page();
    if (!from.boot_ready)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the key of this server run is missing"), errhint("Restart the server.")));
    if (cipher == nullptr)
        pg::raise(pg::run([&] { cipher = new core::Xaes(core::Key32(from.boot_key)); }));
    *boot_id = from.boot_id;
    return cipher;
}

void create_tenant_keys(const pg_uuid_t &tenant) {
    if (!create_roots(tenant)) return;
    ledger::Event event{"key.tenant_created"};
    event.tenant = is_nil(tenant) ? nullptr : &tenant;
    event.target_kind = "tenant_key";
    event.target_id = "1";  // the first epoch
    ledger::append(event);
}

namespace {

// What was delivered before and is no longer, or is another key now. Whether somebody needs it is
// written in the databases, which this process does not read: aegis.coverage() does.
void tell_of_lost_versions(const core::Keyring &before, const core::Keyring &now) {
    for (int i = 0; i < before.count; i++) {
        const core::MasterKey &old = before.keys[i];
        const core::MasterKey *found = nullptr;
        for (int j = 0; j < now.count; j++)
            if (now.keys[j].version == old.version) found = &now.keys[j];
        if (found != nullptr && memcmp(found->key, old.key, sizeof old.key) == 0) continue;
        ereport(
            WARNING,
            (errcode(AEGIS_ERRCODE_KEY_MISSING),
             found == nullptr
                 ? errmsg("the key provider no longer delivers master key version %u", old.version)
                 : errmsg("the key provider delivers another master key version %u than before",
                          old.version),
             errdetail("Root keys that are wrapped under it cannot be opened."),
             errhint("aegis.key_status() tells in each database whether there are any.")));
    }
}

}  // namespace

void load_provider() {
    Page *to = region::key_page();
    core::Keyring keyring;
    Fault fault;
    bool good = read_provider(guc::key_provider, *to, &keyring, &fault);
    bool has_old = to->keyring.count > 0;
    if (good) tell_of_lost_versions(to->keyring, keyring);
    const char *variable = variable_of(guc::key_provider);

    to->sequence.fetch_add(1, std::memory_order_acq_rel);
    // A provider that fails on reload takes nothing away: service goes on with the keys it had.
    if (good) {
        to->keyring = keyring;
        strlcpy(to->variable, variable != nullptr ? variable : "", sizeof to->variable);
    }
    to->fault = fault;
    to->sequence.fetch_add(1, std::memory_order_acq_rel);
    to->generation.fetch_add(1, std::memory_order_acq_rel);
    core::wipe({reinterpret_cast<uint8_t *>(&keyring), sizeof keyring});

    if (!good)
        ereport(WARNING, (errcode(AEGIS_ERRCODE_KEY_MISSING), errmsg("%s", fault.message),
                          has_old ? errdetail("The keys that were loaded before stay in use.") : 0,
                          errhint("%s", fault.hint)));
    else if (variable != nullptr)
        ereport(WARNING,
                (errcode(ERRCODE_WARNING),
                 errmsg("the master keys come from an environment variable, which is for "
                        "development only"),
                 errdetail("Whatever started the server keeps it, where others may read it."),
                 errhint("Set aegis.key_provider to file:PATH or command:PATH ARG...")));
}

void define() {
    key_cache::define();
    define_shred();
    define_subject();
    // The page outlives a restart after a backend's crash; the postmaster fills it once.
    Page *to = region::key_page();
    if (to == nullptr || IsUnderPostmaster || !process_shared_preload_libraries_in_progress) return;
    pg::raise(pg::run([&] {
        core::random_secret(to->boot_id);
        core::random_secret(to->boot_key);
    }));
    to->boot_ready = true;
    load_provider();
}

}  // namespace aegis::key

// The keys that the provider delivers, as check values: (version, check_value).
AEGIS_FUNCTION(aegis_provided_keys) {
    using namespace aegis;
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    core::Keyring keyring;
    key::Fault fault;
    key::copy_provided(&keyring, &fault);
    uint32_t versions[core::kMaxMasterVersions];
    uint8_t checks[core::kMaxMasterVersions][core::kCheckValueBytes];
    int count = keyring.count;
    pg::Report report = pg::run([&] {
        for (int i = 0; i < count; i++) {
            versions[i] = keyring.keys[i].version;
            core::master_check_value(keyring.keys[i], checks[i]);
        }
    });
    core::wipe({reinterpret_cast<uint8_t *>(&keyring), sizeof keyring});
    pg::raise(report);
    for (int i = 0; i < count; i++) {
        Datum values[] = {Int64GetDatum(versions[i]), PointerGetDatum(pg::copy_varlena(checks[i]))};
        bool nulls[] = {false, false};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return Datum(0);
}

// Why the provider could not be read when it was last tried; NULL when it could.
AEGIS_FUNCTION(aegis_key_fault) {
    using namespace aegis;
    core::Keyring keyring;
    key::Fault fault;
    key::copy_provided(&keyring, &fault);
    core::wipe({reinterpret_cast<uint8_t *>(&keyring), sizeof keyring});
    if (fault.message[0] == '\0') PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(fault.message));
}

// Why a root key cannot be used; NULL when it can.
AEGIS_FUNCTION(aegis_root_fault) {
    using namespace aegis;
    pg_uuid_t tenant = *PG_GETARG_UUID_P(0);
    key::RootKind kind = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "index") == 0
                             ? key::RootKind::index
                             : key::RootKind::root;
    uint32_t epoch = static_cast<uint32_t>(PG_GETARG_INT32(2));
    auto use = [&] {
        key::Root root;
        key::load_root(tenant, kind, epoch, &root);
        core::wipe(root.key);
    };
    const ErrorData *error = pg::try_in_subtransaction(use);
    if (error == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(error->message));
}

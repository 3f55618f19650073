// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "core/digest.hpp"
#include "key_cache.hpp"

#include "key.hpp"
#include "key_master.hpp"
#include "key_root.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "region.hpp"

namespace aegis::key_cache {

namespace {

constexpr uint32_t kSets = 128;
constexpr uint32_t kWays = 4;

Entry *entries = nullptr;
uint64_t tick = 0;
uint64_t seen_generation = 0;
uint64_t seen_changes = 0;
uint64_t emptied = 1;
bool stale = false;
// Roots made by this transaction go when it aborts, and what was derived from them with them.
bool made_in_transaction = false;
bool changed_in_transaction = false;  // and others must know
bool committing = false;              // counted in key_changing
Oid root_table = InvalidOid;

void drop(Entry *entry) {
    delete entry->cipher;  // wipes its key schedules; does not throw
    delete entry->search;
    core::wipe({reinterpret_cast<uint8_t *>(entry), sizeof *entry});
}

void empty() {
    emptied++;
    stale = false;
    if (entries == nullptr) return;
    for (uint32_t i = 0; i < kSets * kWays; i++)
        if (entries[i].used != 0) drop(&entries[i]);
}

void at_exit(int, Datum) {
    empty();
}

void map() {
    entries = static_cast<Entry *>(locked_memory(sizeof(Entry) * kSets * kWays));
    before_shmem_exit(at_exit, 0);
}

// Called in the midst of other code that may hold an entry: only marks.
void table_changed(Datum, Oid relid) {
    if (relid == InvalidOid || relid == root_table) stale = true;
}

// The counter that tells other sessions lies beside the key page, which backends cannot write. A
// commit is visible to them before this runs; while it is under way nobody trusts a cache.
void transaction_ended(XactEvent event, void *) {
    if (event == XACT_EVENT_PRE_PREPARE && changed_in_transaction)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot prepare a transaction that changed keys"),
                        errdetail("Other sessions would not learn of it at once.")));
    // What a prepared transaction made may still go, and is not this session's any more.
    if ((event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) && made_in_transaction)
        stale = true;
    if (event == XACT_EVENT_PRE_COMMIT && changed_in_transaction && !committing) {
        region::state()->key_changing.fetch_add(1, std::memory_order_acq_rel);
        committing = true;
    }
    if (event == XACT_EVENT_COMMIT && changed_in_transaction)
        region::state()->key_changes.fetch_add(1, std::memory_order_acq_rel);
    if (committing && (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)) {
        region::state()->key_changing.fetch_sub(1, std::memory_order_acq_rel);
        committing = false;
    }
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
        made_in_transaction = changed_in_transaction = false;
}

void subtransaction_ended(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB && made_in_transaction) stale = true;
}

void refresh() {
    uint64_t generation = key::page().generation.load(std::memory_order_acquire);
    // In this order: a change that ends in between has been counted by then.
    bool changing = region::state()->key_changing.load(std::memory_order_acquire) != 0;
    uint64_t changes = region::state()->key_changes.load(std::memory_order_acquire);
    if (generation != seen_generation || changes != seen_changes || changing || stale) {
        empty();
        seen_generation = generation;
        seen_changes = changes;
    }
}

uint32_t set_of(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch,
                uint32_t reference) {
    // Tenant ids are random; the rest is spread by an odd multiplier.
    uint32_t mixed = core::get_u32(tenant.data + 12) ^ core::get_u32(tenant.data);
    mixed ^= (reference + epoch * 31u + static_cast<uint32_t>(purpose) * 131u) * 2654435761u;
    return (mixed ^ mixed >> 16) % kSets;
}

Entry *find(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch, uint32_t reference) {
    Entry *set = entries + set_of(tenant, purpose, epoch, reference) * kWays;
    for (uint32_t i = 0; i < kWays; i++) {
        Entry *entry = &set[i];
        if (entry->used != 0 && entry->reference == reference && entry->purpose == purpose &&
            entry->asked_epoch == epoch && memcmp(&entry->tenant, &tenant, sizeof tenant) == 0) {
            entry->used = ++tick;
            return entry;
        }
    }
    return nullptr;
}

Entry *take(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch, uint32_t reference) {
    Entry *set = entries + set_of(tenant, purpose, epoch, reference) * kWays;
    Entry *oldest = set;
    for (uint32_t i = 1; i < kWays; i++)
        if (set[i].used < oldest->used) oldest = &set[i];
    if (oldest->used != 0) drop(oldest);
    return oldest;
}

void fill(Entry *entry, const pg_uuid_t &tenant, core::Purpose purpose, uint32_t asked_epoch,
          uint32_t reference, uint32_t epoch) {
    entry->tenant = tenant;
    entry->purpose = purpose;
    entry->asked_epoch = asked_epoch;
    entry->reference = reference;
    entry->epoch = epoch;
    entry->used = ++tick;
}

// Roots are kept too: a tenant's fields all come from one.
const Entry *root(const pg_uuid_t &tenant, key::RootKind kind, uint32_t epoch) {
    uint32_t reference = static_cast<uint32_t>(kind);
    Entry *entry = find(tenant, core::Purpose::tenant_kek, epoch, reference);
    if (entry != nullptr) return entry;
    root_table = own_table::find("tenant_key");
    key::Root loaded;
    key::load_root(tenant, kind, epoch, &loaded);
    entry = take(tenant, core::Purpose::tenant_kek, epoch, reference);
    memcpy(entry->key, loaded.key, sizeof entry->key);
    fill(entry, tenant, core::Purpose::tenant_kek, epoch, reference, loaded.epoch);
    entry->frozen = loaded.frozen;
    entry->suite = loaded.suite;
    core::wipe(loaded.key);
    return entry;
}

}  // namespace

void *locked_memory(size_t bytes) {
    void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        ereport(ERROR,
                (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not map memory for keys: %m")));
    // The server warned at start when memory cannot be locked; backends go on without.
    if (mlock(at, bytes) != 0)
        ereport(DEBUG1, (errmsg("could not lock the memory of derived keys: %m")));
    madvise(at, bytes, MADV_DONTDUMP);
    madvise(at, bytes, MADV_WIPEONFORK);
    return at;
}

const Entry *tenant_root(const pg_uuid_t &tenant, uint32_t epoch) {
    refresh();
    if (entries == nullptr) map();
    return root(tenant, key::RootKind::root, epoch);
}

const Entry *derive(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch,
                    uint32_t reference, Form form) {
    refresh();
    if (entries == nullptr) map();
    Entry *entry = find(tenant, purpose, epoch, reference);
    if (entry != nullptr) return entry;

    bool for_search = purpose == core::Purpose::blind_index || purpose == core::Purpose::login ||
                      purpose == core::Purpose::body_digest;
    const Entry *from =
        root(tenant, for_search ? key::RootKind::index : key::RootKind::root, epoch);
    uint32_t root_epoch = from->epoch;
    uint8_t bytes[core::kKeyBytes];
    core::EnvelopeKey *cipher = nullptr;
    core::HmacKey *search = nullptr;
    pg::Report report = pg::run([&] {
        core::Key32 derived;
        core::derive_key(core::Key32(from->key), {},
                         {purpose, key::tenant_name(tenant), root_epoch, reference}, derived);
        if (form == Form::cipher)
            cipher = new core::EnvelopeKey(from->suite, derived);
        else if (form == Form::wrap)
            cipher = new core::EnvelopeKey(core::Suite::xaes_256_gcm, derived);
        else if (form == Form::search)
            search = new core::HmacKey(derived.view());
        else
            memcpy(bytes, derived.view().data, sizeof bytes);
    });
    pg::raise(report);
    entry = take(tenant, purpose, epoch, reference);  // may be where the root lay
    entry->cipher = cipher;
    entry->search = search;
    if (form == Form::bytes) memcpy(entry->key, bytes, sizeof entry->key);
    core::wipe(bytes);
    fill(entry, tenant, purpose, epoch, reference, root_epoch);
    return entry;
}

bool search_is_frozen(const pg_uuid_t &tenant) {
    refresh();
    if (entries == nullptr) map();
    return root(tenant, key::RootKind::index, key::kCurrentEpoch)->frozen;
}

void expect_abort() {
    made_in_transaction = true;
}

void forget() {
    stale = true;
}

void announce_change() {
    made_in_transaction = changed_in_transaction = true;
    // What this session derived before is as old for it as for the others.
    stale = true;
}

uint64_t version() {
    refresh();
    return emptied;
}

void define() {
    pg::on_relation_change(table_changed);
    RegisterXactCallback(transaction_ended, nullptr);
    RegisterSubXactCallback(subtransaction_ended, nullptr);
}

}  // namespace aegis::key_cache

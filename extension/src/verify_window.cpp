// SPDX-License-Identifier: Apache-2.0
#include "core/entry.hpp"

#include "verify_window.hpp"

#include "ledger_entry.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "verify_progress.hpp"

namespace aegis::verify_window {

struct Part {
    Oid relation;
    int64 from, to;  // bounds of seq; the default partition is open
    bool is_default;
    bool loaded;
    bool freed;
    int64 base;  // seq of entries[0]
    int64 capacity;
    int64 unused;
    Entry *entries;
};

struct Window {
    Callbacks callbacks;
    MemoryContext memory;
    int count;
    Part *parts;
    Part *newest;
    int64 read;
};

namespace {

// The default partition holds what came while a partition was missing: close together, but
// anywhere.
constexpr int64 kLargestSpread = int64{256} * 1024 * 1024;

void make_room(Part *part, int64 seq, MemoryContext memory) {
    if (part->entries == nullptr) {
        part->base = part->is_default ? Max(seq - ledger_entry::kPartitionEntries, 0) : part->from;
        part->capacity = 1024;
        part->entries = static_cast<Entry *>(MemoryContextAllocExtended(
            memory, sizeof(Entry) * part->capacity, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    }
    int64 index = seq - part->base;
    if (index < part->capacity && index >= 0) return;
    if (index < 0 || index >= kLargestSpread)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED),
                 errmsg("ledger entry seq " INT64_FORMAT " lies outside of every partition", seq)));
    int64 capacity = part->capacity;
    while (capacity <= index) capacity *= 2;
    part->entries = static_cast<Entry *>(repalloc_huge(part->entries, sizeof(Entry) * capacity));
    memset(static_cast<void *>(part->entries + part->capacity), 0,
           sizeof(Entry) * (capacity - part->capacity));
    part->capacity = capacity;
}

uint8 check(core::ByteView body, core::ByteView leaf, const pg_uuid_t *tenant, uint64 xid,
            int32 epoch, int32 ordinal) {
    uint8 fault = kFaultNone;
    pg::Report report = pg::run([&] {
        core::Digest real = core::leaf_hash(body);
        if (leaf.size != core::kDigestBytes || memcmp(real.bytes, leaf.data, leaf.size) != 0)
            fault |= kFaultLeaf;
        core::EntryFields fields;
        try {
            fields = core::decode_entry(body);
        } catch (const core::Error &) {
            fault |= kFaultBody;
            return;
        }
        bool same_tenant = tenant == nullptr
                               ? fields.tenant.size == 0
                               : fields.tenant.size == UUID_LEN &&
                                     memcmp(fields.tenant.data, tenant->data, UUID_LEN) == 0;
        if (!same_tenant || fields.xid != xid || fields.epoch != static_cast<uint64_t>(epoch) ||
            fields.ordinal != static_cast<uint32_t>(ordinal))
            fault |= kFaultColumns;
    });
    pg::raise(report);
    return fault;
}

void load_row(Window *window, Part *part, TupleTableSlot *slot) {
    slot_getallattrs(slot);
    const Datum *values = slot->tts_values;
    const pg_uuid_t *tenant = slot->tts_isnull[ledger_entry::kTenant]
                                  ? nullptr
                                  : DatumGetUUIDP(values[ledger_entry::kTenant]);
    int32 log = window->callbacks.log_of(window->callbacks.state, tenant);
    if (log < 0) return;
    int64 seq = DatumGetInt64(values[ledger_entry::kSeq]);
    window->read++;
    make_room(part, seq, window->memory);
    Entry *entry = &part->entries[seq - part->base];
    if (entry->present) {
        window->callbacks.duplicate(window->callbacks.state, seq);
        return;
    }
    // Whoever dropped a NOT NULL constraint gets a finding, not an accident.
    core::ByteView body, leaf;
    if (!slot->tts_isnull[ledger_entry::kBody])
        body = pg::varlena_view(values[ledger_entry::kBody]);
    if (!slot->tts_isnull[ledger_entry::kLeaf])
        leaf = pg::varlena_view(values[ledger_entry::kLeaf]);
    entry->present = true;
    entry->log = log;
    entry->epoch = DatumGetInt32(values[ledger_entry::kEpoch]);
    entry->xid = DatumGetUInt64(values[ledger_entry::kXid]);
    entry->fault = check(body, leaf, tenant, entry->xid, entry->epoch,
                         DatumGetInt32(values[ledger_entry::kOrdinal]));
    if (!part->is_default && (seq < part->from || seq >= part->to)) entry->fault |= kFaultPartition;
    if (leaf.size == core::kDigestBytes) memcpy(entry->leaf.bytes, leaf.data, leaf.size);
    part->unused++;
}

void load(Window *window, Part *part) {
    // A partition whose entries were all named is done with.
    for (int i = 0; i < window->count; i++) {
        Part *other = &window->parts[i];
        if (other->loaded && !other->freed && !other->is_default && other != window->newest &&
            other->unused == 0 && other->entries != nullptr) {
            pfree(other->entries);
            other->entries = nullptr;
            other->freed = true;
        }
    }
    part->loaded = true;
    window->newest = part;
    MemoryContext row_memory =
        AllocSetContextCreate(CurrentMemoryContext, "aegis entry", ALLOCSET_DEFAULT_SIZES);
    Relation relation = table_open(part->relation, AccessShareLock);
    TableScanDesc scan = table_beginscan(relation, GetActiveSnapshot(), 0, nullptr);
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    MemoryContext caller = MemoryContextSwitchTo(row_memory);
    int64 rows = 0;
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        load_row(window, part, slot);
        if (++rows % 1024 == 0) {
            MemoryContextReset(row_memory);
            verify_progress::advance(window->read);
            CHECK_FOR_INTERRUPTS();
        }
    }
    verify_progress::advance(window->read);
    MemoryContextSwitchTo(caller);
    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    MemoryContextDelete(row_memory);
}

Entry *entry_in(Part *part, int64 seq) {
    if (!part->loaded || part->entries == nullptr || seq < part->base ||
        seq - part->base >= part->capacity)
        return nullptr;
    Entry *entry = &part->entries[seq - part->base];
    return entry->present ? entry : nullptr;
}

}  // namespace

Window *open(const Callbacks &callbacks) {
    Window *window = static_cast<Window *>(palloc0(sizeof(Window)));
    window->callbacks = callbacks;
    window->memory = CurrentMemoryContext;
    List *children = find_inheritance_children(ledger_tables::require().entry, AccessShareLock);
    window->parts = static_cast<Part *>(palloc0(sizeof(Part) * Max(list_length(children), 1)));
    ListCell *cell;
    foreach (cell, children) {
        Part *part = &window->parts[window->count++];
        part->relation = lfirst_oid(cell);
        const char *name = get_rel_name(part->relation);
        part->is_default = strncmp(name, "entry_p", 7) != 0;
        if (!part->is_default) {
            part->from = strtoll(name + 7, nullptr, 10) * ledger_entry::kPartitionEntries;
            part->to = part->from + ledger_entry::kPartitionEntries;
        }
    }
    for (int i = 0; i < window->count; i++)
        if (window->parts[i].is_default) load(window, &window->parts[i]);
    return window;
}

Found find(Window *window, int64 seq, Entry **entry) {
    bool freed = false;
    *entry = nullptr;
    if (window->newest != nullptr) *entry = entry_in(window->newest, seq);
    for (int i = 0; *entry == nullptr && i < window->count; i++) {
        Part *part = &window->parts[i];
        if (!part->is_default && seq >= part->from && seq < part->to) {
            if (!part->loaded) load(window, part);
            freed = part->freed;
        }
        *entry = entry_in(part, seq);
    }
    if (*entry == nullptr) return freed ? Found::used_before : Found::missing;
    if ((*entry)->used) return Found::used_before;
    (*entry)->used = true;
    for (int i = 0; i < window->count; i++) {
        Part *part = &window->parts[i];
        if (part->entries != nullptr && *entry >= part->entries &&
            *entry < part->entries + part->capacity)
            part->unused--;
    }
    return Found::entry;
}

void visit_unused(Window *window, void (*visit)(void *state, int64 seq, const Entry &entry)) {
    for (int i = 0; i < window->count; i++) {
        Part *part = &window->parts[i];
        if (!part->loaded) load(window, part);
        for (int64 at = 0; part->entries != nullptr && part->unused > 0 && at < part->capacity;
             at++)
            if (part->entries[at].present && !part->entries[at].used)
                visit(window->callbacks.state, part->base + at, part->entries[at]);
    }
}

int64 entries_read(const Window *window) {
    return window->read;
}

const char *fault_text(uint8 fault) {
    if ((fault & kFaultBody) != 0) return "its body is not an entry";
    if ((fault & kFaultLeaf) != 0) return "its body was changed: it does not have the stored leaf";
    if ((fault & kFaultColumns) != 0) return "its columns say something else than its body";
    return "it lies in the wrong partition";
}

}  // namespace aegis::verify_window

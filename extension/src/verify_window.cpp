// SPDX-License-Identifier: Apache-2.0
#include "verify_window.hpp"

#include "ledger_entry.hpp"
#include "ledger_tables.hpp"
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
    const verify_start::Start *start;
    const verify_scan::Tenants *tenants;
    Observer observer;
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

// False when the seq is too far from the others to be kept with them.
bool make_room(Part *part, int64 seq, MemoryContext memory) {
    if (part->entries == nullptr) {
        part->base = part->is_default ? Max(seq - ledger_entry::kPartitionEntries, 0) : part->from;
        part->capacity = 1024;
        part->entries = static_cast<Entry *>(MemoryContextAllocExtended(
            memory, sizeof(Entry) * part->capacity, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    }
    int64 index = seq - part->base;
    if (index < part->capacity && index >= 0) return true;
    if (index < 0 || index >= kLargestSpread) return false;
    int64 capacity = part->capacity;
    while (capacity <= index) capacity *= 2;
    part->entries = static_cast<Entry *>(repalloc_huge(part->entries, sizeof(Entry) * capacity));
    memset(static_cast<void *>(part->entries + part->capacity), 0,
           sizeof(Entry) * (capacity - part->capacity));
    part->capacity = capacity;
    return true;
}

int compare(const Entry &a, const Entry &b) {
    if (a.fault != b.fault) return a.fault - b.fault;
    int order = memcmp(a.leaf.bytes, b.leaf.bytes, core::kDigestBytes);
    if (order != 0) return order;
    if (a.xid != b.xid) return a.xid < b.xid ? -1 : 1;
    if (a.epoch != b.epoch) return a.epoch < b.epoch ? -1 : 1;
    return a.log - b.log;
}

struct Loading {
    Window *window;
    Part *part;
};

void take(void *pointer, const verify_scan::Row *rows, int count) {
    Loading *loading = static_cast<Loading *>(pointer);
    Window *window = loading->window;
    Part *part = loading->part;
    for (int i = 0; i < count; i++) {
        int64 seq = rows[i].seq;
        if (window->start->seal != 0 &&
            !verify_start::is_after(*window->start, rows[i].entry.epoch, rows[i].entry.xid))
            continue;
        window->read++;
        if (!make_room(part, seq, window->memory)) {
            window->observer.report(window->observer.state, seq, Odd::stray);
            continue;
        }
        Entry *entry = &part->entries[seq - part->base];
        if (entry->present) {
            window->observer.report(window->observer.state, seq, Odd::duplicate);
            // Which of two is read first is chance where several processes read.
            if (compare(rows[i].entry, *entry) >= 0) continue;
            part->unused--;
        }
        *entry = rows[i].entry;
        if (!part->is_default && (seq < part->from || seq >= part->to))
            entry->fault |= verify_scan::kFaultPartition;
        part->unused++;
    }
    verify_progress::advance(window->read);
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
    Loading loading = {window, part};
    // In the default partition the first row says what is far from it: so its order must not vary.
    verify_scan::read_partition(part->relation, *window->start, *window->tenants, part->is_default,
                                {take, &loading});
}

bool find_in(Part *part, int64 seq, Part **place, Entry **entry) {
    if (!part->loaded || part->entries == nullptr || seq < part->base ||
        seq - part->base >= part->capacity)
        return false;
    Entry *found = &part->entries[seq - part->base];
    if (!found->present) return false;
    *place = part;
    *entry = found;
    return true;
}

}  // namespace

Window *open(const verify_start::Start *start, const verify_scan::Tenants *tenants,
             const Observer &observer) {
    Window *window = static_cast<Window *>(palloc0(sizeof(Window)));
    window->start = start;
    window->tenants = tenants;
    window->observer = observer;
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
    bool freed = false, found = false;
    Part *place = nullptr;
    *entry = nullptr;
    if (window->newest != nullptr) found = find_in(window->newest, seq, &place, entry);
    for (int i = 0; !found && i < window->count; i++) {
        Part *part = &window->parts[i];
        if (!part->is_default && seq >= part->from && seq < part->to) {
            if (!part->loaded) load(window, part);
            freed = part->freed;
        }
        found = find_in(part, seq, &place, entry);
    }
    if (!found) return freed ? Found::gone : Found::missing;
    if ((*entry)->used) return Found::used_before;
    (*entry)->used = true;
    place->unused--;
    return Found::entry;
}

void visit_unused(Window *window, void (*visit)(void *state, int64 seq, const Entry &entry),
                  void *state) {
    for (int i = 0; i < window->count; i++) {
        Part *part = &window->parts[i];
        if (!part->loaded) load(window, part);
        for (int64 at = 0; part->entries != nullptr && part->unused > 0 && at < part->capacity;
             at++)
            if (part->entries[at].present && !part->entries[at].used)
                visit(state, part->base + at, part->entries[at]);
    }
}

int64 entries_read(const Window *window) {
    return window->read;
}

const char *fault_text(uint8 fault) {
    if ((fault & verify_scan::kFaultBody) != 0) return "its body is not an entry";
    if ((fault & verify_scan::kFaultLeaf) != 0)
        return "its body was changed: it does not have the stored leaf";
    if ((fault & verify_scan::kFaultColumns) != 0)
        return "its columns say something else than its body";
    return "it lies in the wrong partition";
}

}  // namespace aegis::verify_window

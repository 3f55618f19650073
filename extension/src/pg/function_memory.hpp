// SPDX-License-Identifier: Apache-2.0
// What was found out about functions, by OID, remembered until pg_proc changes.
#pragma once

#include "pg/invalidation.hpp"

namespace aegis::pg {

template <typename Found>
class FunctionMemory {
    static_assert(std::is_trivially_copyable_v<Found>);

 public:
    // The name is that of a memory context, and lives as long as the process.
    constexpr FunctionMemory(const char *name, Found (*find)(Oid)) : name_(name), find_(find) {}

    // Once, from _PG_init.
    void define() { on_catalog_change(PROCOID, forget, PointerGetDatum(this)); }

    Found of(Oid function) {
        if (stale_ && entries_ != nullptr) {
            hash_destroy(entries_);
            entries_ = nullptr;
        }
        stale_ = false;
        if (entries_ == nullptr) {
            HASHCTL control = {};
            control.keysize = sizeof(Oid);
            control.entrysize = sizeof(Entry);
            control.hcxt = TopMemoryContext;
            entries_ = hash_create(name_, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
        }
        bool known;
        auto *entry = static_cast<Entry *>(hash_search(entries_, &function, HASH_FIND, &known));
        if (known) return entry->found;
        Found found = find_(function);  // may receive an invalidation; then it is not remembered
        if (!stale_) {
            entry = static_cast<Entry *>(hash_search(entries_, &function, HASH_ENTER, &known));
            entry->found = found;
        }
        return found;
    }

 private:
    struct Entry {
        Oid function;  // hash key
        Found found;
    };

    static void forget(Datum self, int, uint32) {
        reinterpret_cast<FunctionMemory *>(DatumGetPointer(self))->stale_ = true;
    }

    const char *name_;
    Found (*find_)(Oid);
    HTAB *entries_ = nullptr;
    bool stale_ = false;
};

}  // namespace aegis::pg

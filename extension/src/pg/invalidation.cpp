// SPDX-License-Identifier: Apache-2.0
#include "pg/invalidation.hpp"

namespace aegis::pg {

namespace {

constexpr int kMostCallbacks = 32;
void (*callbacks[kMostCallbacks])(Datum, Oid);
int callback_count = 0;

void dispatch(Datum, Oid relation) {
    for (int i = 0; i < callback_count; i++) callbacks[i](0, relation);
}

struct OfCatalog {
    int cache;
    SyscacheCallbackFunction callback;
    Datum argument;
};
constexpr int kMostOfCatalogs = 64;
OfCatalog of_catalogs[kMostOfCatalogs];
int of_catalogs_count = 0;

void dispatch_catalog(Datum, int cache, uint32 hash) {
    for (int i = 0; i < of_catalogs_count; i++) {
        const OfCatalog &known = of_catalogs[i];
        if (known.cache == cache) known.callback(known.argument, cache, hash);
    }
}

[[noreturn]] void refuse() {
    ereport(FATAL, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("out of invalidation callbacks of aegis")));
}

}  // namespace

void on_relation_change(void (*callback)(Datum, Oid)) {
    for (int i = 0; i < callback_count; i++)
        if (callbacks[i] == callback) return;
    if (callback_count == kMostCallbacks) refuse();
    if (callback_count == 0) CacheRegisterRelcacheCallback(dispatch, 0);
    callbacks[callback_count++] = callback;
}

void on_catalog_change(int cache, SyscacheCallbackFunction callback, Datum argument) {
    bool registered = false;
    for (int i = 0; i < of_catalogs_count; i++) {
        const OfCatalog &known = of_catalogs[i];
        if (known.cache != cache) continue;
        if (known.callback == callback && known.argument == argument) return;
        registered = true;
    }
    if (of_catalogs_count == kMostOfCatalogs) refuse();
    if (!registered) CacheRegisterSyscacheCallback(cache, dispatch_catalog, 0);
    of_catalogs[of_catalogs_count++] = {cache, callback, argument};
}

}  // namespace aegis::pg

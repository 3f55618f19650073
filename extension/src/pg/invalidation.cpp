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

}  // namespace

void on_relation_change(void (*callback)(Datum, Oid)) {
    for (int i = 0; i < callback_count; i++)
        if (callbacks[i] == callback) return;
    if (callback_count == kMostCallbacks)
        ereport(FATAL, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("out of invalidation callbacks of aegis")));
    if (callback_count == 0) CacheRegisterRelcacheCallback(dispatch, 0);
    callbacks[callback_count++] = callback;
}

}  // namespace aegis::pg

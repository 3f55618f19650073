// SPDX-License-Identifier: Apache-2.0
// Everybody may ask for the document, signed in or not, so it must cost little: it is made once in
// a backend, by aegis.describe_routes(), and kept until a route changes.
#include "openapi.hpp"

#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"

namespace aegis::openapi {

namespace {

struct Cache {
    MemoryContext memory;
    Oid table;
    bool valid;
    Jsonb *document;
} cache;

// The callback only marks: the document may be in use.
void on_relcache(Datum, Oid relation) {
    if (relation == InvalidOid || relation == cache.table) cache.valid = false;
}

void load() {
    static pg::Statement describe = {"SELECT aegis.describe_routes()", 0, {}, nullptr};
    if (cache.memory == nullptr)
        cache.memory =
            AllocSetContextCreate(CacheMemoryContext, "aegis openapi", ALLOCSET_SMALL_SIZES);
    cache.table = get_relname_relid("route", get_namespace_oid("aegis", false));
    // Marked first: a change that arrives while reading makes the next call read again.
    cache.valid = true;
    PG_TRY();
    {
        pg::Identity before = pg::enter();
        pg::execute(describe, nullptr);
        bool is_null;
        Datum document = pg::column(0, 1, &is_null);
        MemoryContextReset(cache.memory);
        MemoryContext spi = MemoryContextSwitchTo(cache.memory);
        cache.document = DatumGetJsonbPCopy(document);
        MemoryContextSwitchTo(spi);
        pg::leave(before);
    }
    PG_CATCH();
    {
        cache.valid = false;
        PG_RE_THROW();
    }
    PG_END_TRY();
}

}  // namespace

void define() {
    pg::on_relation_change(on_relcache);
}

}  // namespace aegis::openapi

AEGIS_FUNCTION(aegis_openapi) {
    using aegis::openapi::cache;
    if (!cache.valid) aegis::openapi::load();
    // A copy: whoever holds it may outlive the next change.
    PG_RETURN_JSONB_P(DatumGetJsonbPCopy(JsonbPGetDatum(cache.document)));
}

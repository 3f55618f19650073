// SPDX-License-Identifier: Apache-2.0
// Searching a log: what an entry is about, without making its values readable.
// docs/tenant_ledger.md.
#include "core/entry.hpp"

#include "pg/function.hpp"

AEGIS_FUNCTION(aegis_entry_matches) {
    namespace core = aegis::core;
    namespace pg = aegis::pg;
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    core::ByteView body = pg::varlena_view(PG_GETARG_DATUM(0));
    core::EntryFields entry;
    pg::raise(pg::run([&] { entry = core::decode_entry(body); }));
    if (!PG_ARGISNULL(1)) {
        core::ByteView wanted = pg::varlena_view(PG_GETARG_DATUM(1));
        if (entry.event.size() < wanted.size ||
            memcmp(entry.event.data(), wanted.data, wanted.size) != 0)
            PG_RETURN_BOOL(false);
    }
    if (!PG_ARGISNULL(2)) {
        static const char *const outcomes[] = {"success", "failure", "denied"};
        core::ByteView wanted = pg::varlena_view(PG_GETARG_DATUM(2));
        const char *is = outcomes[static_cast<int>(entry.outcome)];
        if (strlen(is) != wanted.size || memcmp(is, wanted.data, wanted.size) != 0)
            PG_RETURN_BOOL(false);
    }
    PG_RETURN_BOOL(true);
}

// SPDX-License-Identifier: Apache-2.0
#include "pg/installed.hpp"

#include "pg/compat.hpp"
#include "pg/invalidation.hpp"

namespace aegis::pg::detail {

Known installation = Known::nothing;

namespace {

Oid ledger_sequence = InvalidOid;  // goes with the extension, whose schema stays

void forget_relation(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == ledger_sequence) installation = Known::nothing;
}

void forget(Datum, int, uint32) {
    installation = Known::nothing;
}

}  // namespace

// A schema of that name may be somebody else's; one that holds a ledger is ours, whatever became of
// the extension's row. Where only the schema is there nothing is remembered: CREATE EXTENSION makes
// it first, DROP EXTENSION leaves it, and no schema changes when the rest comes or goes.
bool look_for_installation() {
    static bool registered = false;
    if (!registered) {
        on_catalog_change(NAMESPACEOID, forget);
        on_relation_change(forget_relation);
    }
    registered = true;
    if (!IsTransactionState()) return true;
    installation = Known::not_installed;  // forgotten again by what arrives while we look
    Oid schema = get_namespace_oid("aegis", true);
    if (!OidIsValid(schema)) return false;
    ledger_sequence = get_relname_relid("entry_seq", schema);
    if (!OidIsValid(ledger_sequence)) {
        installation = Known::nothing;
        return OidIsValid(get_extension_oid("aegis", true));
    }
    if (installation != Known::nothing) installation = Known::installed;
    return true;
}

}  // namespace aegis::pg::detail

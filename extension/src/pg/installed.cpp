// SPDX-License-Identifier: Apache-2.0
#include "pg/installed.hpp"

#include "pg/compat.hpp"

namespace aegis::pg::detail {

Known installation = Known::nothing;

namespace {

void forget(Datum, int, uint32) {
    installation = Known::nothing;
}

}  // namespace

// A schema of that name may be somebody else's; one that holds a ledger is ours, whatever became of
// the extension's row. Where only the schema is there nothing is remembered: CREATE EXTENSION makes
// it first, and no schema changes when the rest follows.
bool look_for_installation() {
    static bool registered = false;
    if (!registered) CacheRegisterSyscacheCallback(NAMESPACEOID, forget, 0);
    registered = true;
    if (!IsTransactionState()) return true;
    installation = Known::not_installed;  // forgotten again by what arrives while we look
    Oid schema = get_namespace_oid("aegis", true);
    if (!OidIsValid(schema)) return false;
    bool found = OidIsValid(get_extension_oid("aegis", true)) ||
                 OidIsValid(get_relname_relid("entry_seq", schema));
    installation = found && installation != Known::nothing ? Known::installed : Known::nothing;
    return found;
}

}  // namespace aegis::pg::detail

// SPDX-License-Identifier: Apache-2.0
#include "pg/installed.hpp"

#include "pg/compat.hpp"

namespace aegis::pg {

namespace {

enum class Known { nothing, installed, not_installed };

Known known = Known::nothing;

void forget(Datum, int, uint32) {
    known = Known::nothing;
}

// A schema of that name may be somebody else's; one that holds a ledger is ours, whatever became of
// the extension's row. Where only the schema is there nothing is remembered: CREATE EXTENSION makes
// it first, and no schema changes when the rest follows.
bool look() {
    known = Known::not_installed;  // forgotten again by what arrives while we look
    Oid schema = get_namespace_oid("aegis", true);
    if (!OidIsValid(schema)) return false;
    bool installed = OidIsValid(get_extension_oid("aegis", true)) ||
                     OidIsValid(get_relname_relid("entry_seq", schema));
    known = installed && known != Known::nothing ? Known::installed : Known::nothing;
    return installed;
}

}  // namespace

bool is_installed() {
    static bool registered = false;
    if (!registered) {
        CacheRegisterSyscacheCallback(NAMESPACEOID, forget, 0);
        registered = true;
    }
    if (known != Known::nothing) return known == Known::installed;
    return !IsTransactionState() || look();
}

}  // namespace aegis::pg

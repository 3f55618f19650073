// SPDX-License-Identifier: Apache-2.0
// Row security of a protected table ends by aegis.unprotect_table(), which leaves an entry, and by
// nothing else: one ALTER TABLE would show its owner the rows of all tenants, and nobody would
// know.
#include "protect.hpp"

#include "guc.hpp"
#include "pg/report.hpp"

namespace aegis::protect {

namespace {

bool weakens(const AlterTableStmt *alter) {
    ListCell *cell;
    foreach (cell, alter->cmds) {
        AlterTableType change = static_cast<const AlterTableCmd *>(lfirst(cell))->subtype;
        if (change == AT_DisableRowSecurity || change == AT_NoForceRowSecurity) return true;
    }
    return false;
}

bool is_installed() {
    Oid schema = get_namespace_oid("aegis", true);
    return OidIsValid(schema) && OidIsValid(get_relname_relid("protected_table", schema));
}

}  // namespace

void check_statement(const PlannedStmt *statement) {
    Node *node = statement->utilityStmt;
    if (!guc::statement_guard || !IsA(node, AlterTableStmt)) return;
    const AlterTableStmt *alter = reinterpret_cast<const AlterTableStmt *>(node);
    if (!weakens(alter) || !is_installed()) return;
    Oid relation = RangeVarGetRelid(alter->relation, NoLock, true);
    Protection protection;
    if (OidIsValid(relation) && find(relation, &protection))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("row security of protected table \"%s\" cannot be taken away",
                               get_rel_name(relation)),
                        errhint("Call aegis.unprotect_table(), which is recorded.")));
}

}  // namespace aegis::protect

// SPDX-License-Identifier: Apache-2.0
// Row security and the triggers of Aegis leave a table by aegis.unprotect_table() and
// aegis.unaudit_table(), which leave an entry, and by nothing else: one ALTER TABLE would show the
// owner the rows of all tenants, or end the capture of changes, and nobody would know.
#include "protect.hpp"

#include "ddl_guard.hpp"
#include "guc.hpp"
#include "ledger_tables.hpp"
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

// The restrictive wall looks for a column of this name and type; renamed, the owner could write a
// policy that shows everything.
constexpr const char *kTenantColumn = "tenant_id";

bool removes_tenant(const AlterTableStmt *alter) {
    ListCell *cell;
    foreach (cell, alter->cmds) {
        const AlterTableCmd *change = static_cast<const AlterTableCmd *>(lfirst(cell));
        if ((change->subtype == AT_DropColumn || change->subtype == AT_AlterColumnType) &&
            strcmp(change->name, kTenantColumn) == 0)
            return true;
    }
    return false;
}

bool is_installed() {
    Oid schema = get_namespace_oid("aegis", true);
    return OidIsValid(schema) && OidIsValid(get_relname_relid("protected_table", schema));
}

// PostgreSQL asks the same, or more.
void may_lock(const RangeVar *name, Oid relation, Oid, void *) {
    if (!OidIsValid(relation) || pg_class_ownercheck(relation, GetUserId()) ||
        pg_class_aclcheck(relation, GetUserId(), ACL_TRIGGER) == ACLCHECK_OK)
        return;
    aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
                   name->relname);
}

// The relation that the statement will find under this name. It is locked as the statement will
// lock it: while that waited, another could take the name, and would be changed without having been
// looked at.
Oid hold(const RangeVar *name, LOCKMODE mode) {
    return RangeVarGetRelidExtended(name, mode, RVR_MISSING_OK, may_lock, nullptr);
}

// The sealing trigger is not among them: what it misses, the column's CHECK refuses aloud.
const char *const own_triggers[] = {"aegis_audit_row", "aegis_audit_truncate", "aegis_follow",
                                    "aegis_truncate", "zzy_aegis_stamp"};

// Refuses when `name` (any of them: nullptr) is a trigger of ours on the table.
void keep_triggers(const RangeVar *table, const char *name, LOCKMODE mode) {
    if (ledger_tables::is_own_change()) return;
    Oid relation = hold(table, mode);
    if (!OidIsValid(relation)) return;
    for (const char *own : own_triggers) {
        if (name != nullptr && strcmp(name, own) != 0) continue;
        if (!OidIsValid(get_trigger_oid(relation, own, true))) continue;
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("trigger \"%s\" of table \"%s\" cannot be changed", own,
                               get_rel_name(relation)),
                        errhint("Call aegis.unprotect_table() or aegis.unaudit_table(), which are "
                                "recorded.")));
    }
}

// ALWAYS is what stands; every other state lets session_replication_role silence a trigger.
void keep_trigger_states(const AlterTableStmt *alter) {
    ListCell *cell;
    foreach (cell, alter->cmds) {
        const AlterTableCmd *change = static_cast<const AlterTableCmd *>(lfirst(cell));
        switch (change->subtype) {
            case AT_DisableTrig:
            case AT_EnableTrig:
            case AT_EnableReplicaTrig:
                keep_triggers(alter->relation, change->name, AlterTableGetLockLevel(alter->cmds));
                break;
            case AT_DisableTrigAll:
            case AT_DisableTrigUser:
            case AT_EnableTrigAll:
            case AT_EnableTrigUser:
                keep_triggers(alter->relation, nullptr, AlterTableGetLockLevel(alter->cmds));
                break;
            default:
                break;
        }
    }
}

void keep_dropped_triggers(const DropStmt *drop) {
    ListCell *cell;
    foreach (cell, drop->objects) {  // each a list of names: table, then trigger
        List *names = static_cast<List *>(lfirst(cell));
        int parts = list_length(names);
        RangeVar *table = makeRangeVarFromNameList(list_truncate(list_copy(names), parts - 1));
        keep_triggers(table, strVal(llast(names)), AccessExclusiveLock);
    }
}

bool is_named(const Trigger &trigger, const CreateTrigStmt *create) {
    if (trigger.tgnargs != list_length(create->args)) return false;
    for (int i = 0; i < trigger.tgnargs; i++)
        if (strcmp(trigger.tgargs[i], strVal(list_nth(create->args, i))) != 0) return false;
    return strcmp(trigger.tgname, create->trigname) == 0;
}

// Whether the statement makes a trigger that stands already once more, which brings back what
// partitions lack of it.
bool repeats(const CreateTrigStmt *create, Oid relation) {
    int type = create->timing | create->events | (create->row ? TRIGGER_TYPE_ROW : 0);
    Oid function = LookupFuncName(create->funcname, 0, nullptr, true);
    bool narrowed = create->columns != NIL || create->whenClause != nullptr;
    Relation table = table_open(relation, NoLock);
    bool found = false;
    for (int i = 0; table->trigdesc != nullptr && i < table->trigdesc->numtriggers; i++) {
        const Trigger &trigger = table->trigdesc->triggers[i];
        found = found || (!narrowed && is_named(trigger, create) && trigger.tgtype == type &&
                          trigger.tgfoid == function && trigger.tgnattr == 0);
    }
    table_close(table, NoLock);
    return found;
}

// CREATE OR REPLACE TRIGGER would put another function under the name of ours, or the same one with
// a condition, for fewer columns or commands.
void keep_replaced_triggers(const CreateTrigStmt *create) {
    if (!create->replace || ddl_guard::is_own()) return;
    Oid relation = hold(create->relation, ShareRowExclusiveLock);
    if (OidIsValid(relation) && !repeats(create, relation))
        keep_triggers(create->relation, create->trigname, ShareRowExclusiveLock);
}

// A trigger that depends on an extension is dropped with it.
void keep_independent(const AlterObjectDependsStmt *depends) {
    if (depends->objectType != OBJECT_TRIGGER || depends->remove) return;
    keep_triggers(depends->relation, strVal(llast(castNode(List, depends->object))),
                  AccessExclusiveLock);
}

void keep_row_security(const AlterTableStmt *alter) {
    if (!weakens(alter)) return;
    Oid relation = hold(alter->relation, AlterTableGetLockLevel(alter->cmds));
    Protection protection;
    if (OidIsValid(relation) && find(relation, &protection))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("row security of protected table \"%s\" cannot be taken away",
                               get_rel_name(relation)),
                        errhint("Call aegis.unprotect_table(), which is recorded.")));
}

bool is_protected(const RangeVar *table, LOCKMODE mode) {
    Oid relation = hold(table, mode);
    Protection protection;
    return OidIsValid(relation) && find(relation, &protection);
}

// Whoever reads a table reads its children without their row security.
void keep_from_parents(const AlterTableStmt *alter) {
    ListCell *cell;
    foreach (cell, alter->cmds) {
        const AlterTableCmd *change = static_cast<const AlterTableCmd *>(lfirst(cell));
        const RangeVar *child = alter->relation;
        const RangeVar *parent = alter->relation;
        if (change->subtype == AT_AddInherit)
            parent = reinterpret_cast<const RangeVar *>(change->def);
        else if (change->subtype == AT_AttachPartition)
            child = reinterpret_cast<const PartitionCmd *>(change->def)->name;
        else
            continue;
        bool attaches = change->subtype == AT_AttachPartition;
        LOCKMODE own = AlterTableGetLockLevel(alter->cmds);
        // In PostgreSQL's order: the table that is altered first.
        bool parent_protected = attaches && is_protected(parent, own);
        bool child_protected = is_protected(child, attaches ? AccessExclusiveLock : own);
        if (!attaches) parent_protected = is_protected(parent, ShareUpdateExclusiveLock);
        if (child_protected && !parent_protected)
            ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                            errmsg("protected table \"%s\" cannot be a part of table \"%s\"",
                                   child->relname, parent->relname),
                            errdetail("Rows that are read through a parent are not held back.")));
    }
}

void keep_tenant_column(const RangeVar *table) {
    if (is_protected(table, AccessExclusiveLock))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("column \"%s\" of protected table \"%s\" cannot be changed",
                               kTenantColumn, table->relname),
                        errhint("Call aegis.unprotect_table(), which is recorded.")));
}

}  // namespace

void check_statement(const PlannedStmt *statement) {
    Node *node = statement->utilityStmt;
    if (!guc::statement_guard) return;
    switch (nodeTag(node)) {
        case T_AlterTableStmt: {
            const AlterTableStmt *alter = reinterpret_cast<const AlterTableStmt *>(node);
            if (!is_installed()) return;
            keep_row_security(alter);
            if (removes_tenant(alter)) keep_tenant_column(alter->relation);
            keep_trigger_states(alter);
            keep_from_parents(alter);
            break;
        }
        case T_CreateTrigStmt:
            if (is_installed())
                keep_replaced_triggers(reinterpret_cast<const CreateTrigStmt *>(node));
            break;
        case T_AlterObjectDependsStmt:
            if (is_installed())
                keep_independent(reinterpret_cast<const AlterObjectDependsStmt *>(node));
            break;
        case T_DropStmt: {
            const DropStmt *drop = reinterpret_cast<const DropStmt *>(node);
            if (drop->removeType == OBJECT_TRIGGER && is_installed()) keep_dropped_triggers(drop);
            break;
        }
        case T_RenameStmt: {
            const RenameStmt *rename = reinterpret_cast<const RenameStmt *>(node);
            if (rename->renameType == OBJECT_TRIGGER && is_installed())
                keep_triggers(rename->relation, rename->subname, AccessExclusiveLock);
            // ALTER TYPE ... RENAME ATTRIBUTE renames a column of a table as well.
            if ((rename->renameType == OBJECT_COLUMN || rename->renameType == OBJECT_ATTRIBUTE) &&
                strcmp(rename->subname, kTenantColumn) == 0 && is_installed())
                keep_tenant_column(rename->relation);
            break;
        }
        default:
            break;
    }
}

}  // namespace aegis::protect

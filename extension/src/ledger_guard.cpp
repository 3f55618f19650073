// SPDX-License-Identifier: Apache-2.0
// Three nets: permissions of a plan (SQL and COPY), utility statements by their target, and object
// access for what reaches the catalogs by another road (DROP OWNED, CASCADE). Under them stand the
// triggers, which stay when the guard is switched off. A superuser who unloads the library passes
// them all; verification finds what was done then.
#include "core/entry.hpp"

#include "ledger_guard.hpp"

#include "charge.hpp"
#include "guc.hpp"
#include "ledger_entry.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/installed.hpp"

namespace aegis::ledger_guard {

namespace {

const char *const kHint =
    "Corrections are new entries. See aegis.ledger_guard in docs/ledger.md for emergencies.";
const char *const kHintBeside =
    "Functions of Aegis change it and record who called them: docs/retention.md, "
    "docs/tenant_request.md, docs/witness.md, docs/anchor.md.";

[[noreturn]] void refuse(const char *what, Oid relation) {
    const char *name = OidIsValid(relation) ? get_rel_name(relation) : nullptr;
    charge::note_refusal("ledger", name != nullptr ? name : what);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_LEDGER_APPEND_ONLY), errmsg("ledger is append-only"),
                    name != nullptr ? errdetail("%s \"%s\" is refused.", what, name)
                                    : errdetail("%s is refused.", what),
                    errhint("%s", ledger_tables::is_beside(relation) ? kHintBeside : kHint)));
    pg_unreachable();
}

// The extension's own script and our own code pass.
bool is_exempt() {
    if (!guc::ledger_guard || ledger_tables::is_own_change() || !IsTransactionState()) return true;
    if (!pg::is_installed()) return true;  // there is no ledger
    return creating_extension && CurrentExtensionObject == get_extension_oid("aegis", true);
}

// A table of the ledger for itself, its indexes, and where its long values lie; a view of schema
// aegis, for most show the ledger; InvalidOid for anything else.
Oid ledger_table_of(Oid relation) {
    if (!OidIsValid(relation)) return InvalidOid;
    if (ledger_tables::contains(relation)) return relation;
    switch (get_rel_relkind(relation)) {
        case RELKIND_INDEX:
        case RELKIND_PARTITIONED_INDEX:
            return ledger_table_of(IndexGetRelation(relation, true));
        case RELKIND_TOASTVALUE:
            return ledger_tables::toasted_by(relation);
        case RELKIND_VIEW: {
            Oid extension = getExtensionOfObject(RelationRelationId, relation);
            return OidIsValid(extension) && extension == get_extension_oid("aegis", true)
                       ? relation
                       : InvalidOid;
        }
        default:
            return InvalidOid;
    }
}

Oid table_of(const RangeVar *name) {
    return name == nullptr ? InvalidOid : ledger_table_of(RangeVarGetRelid(name, NoLock, true));
}

void refuse_if_ledger(const char *what, const RangeVar *name) {
    Oid table = table_of(name);
    if (OidIsValid(table)) refuse(what, table);
}

// Through any catalog a superuser could take the ledger's protection away row by row: from its
// tables, its functions, the operators and types that it is made of, the roles. Left open are those
// that people change by hand and that hold no protection.
bool is_guarding_catalog(Oid relation) {
    static const char *const open[] = {
        "pg_database",    "pg_db_role_setting",      "pg_description",
        "pg_largeobject", "pg_largeobject_metadata", "pg_shdescription",
        "pg_statistic",   "pg_statistic_ext_data"};
    if (!IsCatalogRelationOid(relation)) return false;
    const char *name = get_rel_name(relation);
    for (const char *catalog : open)
        if (name != nullptr && strcmp(name, catalog) == 0) return false;
    return true;
}

// The relation that a row of a catalog belongs to. SnapshotSelf: the row may be just written.
Oid owner_of(Oid catalog, Oid index, AttrNumber oid_column, AttrNumber relation_column,
             Oid object) {
    Relation relation = table_open(catalog, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, oid_column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
    SysScanDesc scan = systable_beginscan(relation, index, true, SnapshotSelf, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    Oid owner = InvalidOid;
    if (HeapTupleIsValid(tuple)) {
        bool is_null;
        owner = DatumGetObjectId(
            heap_getattr(tuple, relation_column, RelationGetDescr(relation), &is_null));
    }
    systable_endscan(scan);
    table_close(relation, AccessShareLock);
    return owner;
}

// Functions that write, guard, show, prove and verify the ledger: one that was replaced could say
// anything. By parts of names, so that a new one is among them.
bool is_guarding_name(const char *name) {
    static const char *const parts[] = {
        "adopt",    "anchor",    "audit",         "begin_epoch",   "checkpoint",
        "cosign",   "cut",       "entries",       "entry",         "erase_tenant",
        "event",    "field_key", "leaves",        "ledger",        "lock_retention",
        "log_root", "move",      "proof",         "receipt",       "record",
        "seals",    "shred",     "tenant_action", "tenant_bundle", "tenant_request",
        "tile",     "verif",     "wait_",         "watch",         "witness"};
    for (const char *part : parts)
        if (strstr(name, part) != nullptr) return true;
    return false;
}

// By the name that it had, and by the one that it gets: a new function of the same name with other
// arguments is as bad as a changed one.
bool is_guarding_function(Oid function) {
    const ledger_tables::Oids *oids = ledger_tables::find();
    if (oids == nullptr) return false;
    if (function < FirstUnpinnedObjectId) return true;  // PostgreSQL's own, which ours are made of
    char *name = get_func_name(function);
    if (name != nullptr && get_func_namespace(function) == oids->schema && is_guarding_name(name))
        return true;
    Relation relation = table_open(ProcedureRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_proc_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
    SysScanDesc scan =
        systable_beginscan(relation, ProcedureOidIndexId, true, SnapshotSelf, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    bool found = false;
    if (HeapTupleIsValid(tuple)) {
        Form_pg_proc procedure = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
        found = procedure->pronamespace == oids->schema &&
                is_guarding_name(NameStr(procedure->proname));
    }
    systable_endscan(scan);
    table_close(relation, AccessShareLock);
    return found;
}

// The table of the ledger that an object belongs to; *what says how for the message.
Oid ledger_table_behind(Oid class_id, Oid object_id, const char **what) {
    switch (class_id) {
        case RelationRelationId:
            *what = "change of table";
            return ledger_table_of(object_id);
        case InheritsRelationId:
            *what = "inheritance of table";
            return ledger_table_of(object_id);
        case TriggerRelationId:
            *what = "change of a trigger of table";
            return ledger_table_of(owner_of(TriggerRelationId, TriggerOidIndexId,
                                            Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid,
                                            object_id));
        case RewriteRelationId:
            *what = "change of a rule of table";
            return ledger_table_of(owner_of(RewriteRelationId, RewriteOidIndexId,
                                            Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class,
                                            object_id));
        case ConstraintRelationId:
            *what = "change of a constraint of table";
            return ledger_table_of(owner_of(ConstraintRelationId, ConstraintOidIndexId,
                                            Anum_pg_constraint_oid, Anum_pg_constraint_conrelid,
                                            object_id));
        case PolicyRelationId:
            *what = "change of a policy of table";
            return ledger_table_of(owner_of(PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid,
                                            Anum_pg_policy_polrelid, object_id));
        default:
            return InvalidOid;
    }
}

// What the server itself writes when it starts does not make a ledger that is worth keeping.
bool is_own_news(core::ByteView body) {
    core::EntryFields entry;
    pg::raise(pg::run([&] { entry = core::decode_entry(body); }));
    for (std::string_view family : {"system.", "setting.", "role.", "grant."})
        if (entry.event.substr(0, family.size()) == family) return true;
    return entry.event == "audit.watch_begun" || entry.event == "key.master_registered" ||
           entry.event == "key.tenant_created";
}

// The transaction that installed the extension: what it wrote is no history either.
TransactionId installed_in() {
    Relation relation = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum("aegis"));
    SysScanDesc scan =
        systable_beginscan(relation, ExtensionNameIndexId, true, SnapshotSelf, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    TransactionId xmin =
        HeapTupleIsValid(tuple) ? HeapTupleHeaderGetRawXmin(tuple->t_data) : InvalidTransactionId;
    systable_endscan(scan);
    table_close(relation, AccessShareLock);
    return xmin;
}

bool has_history(Oid table, TransactionId installation) {
    Relation relation = table_open(table, AccessShareLock);
    bool found = false;
    if (relation->rd_rel->relkind == RELKIND_RELATION) {
        SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 0, nullptr);
        HeapTuple tuple;
        while (!found && HeapTupleIsValid(tuple = systable_getnext(scan))) {
            bool is_null;
            TupleDesc shape = RelationGetDescr(relation);
            uint64 xid =
                DatumGetUInt64(heap_getattr(tuple, ledger_entry::kXid + 1, shape, &is_null));
            Datum body = heap_getattr(tuple, ledger_entry::kBody + 1, shape, &is_null);
            found = is_null || (static_cast<TransactionId>(xid) != installation &&
                                !is_own_news(pg::varlena_view(body)));
        }
        systable_endscan(scan);
    }
    table_close(relation, AccessShareLock);
    return found;
}

// An extension that recorded nothing yet may be dropped. Decided once per transaction: later drops
// of the same DROP EXTENSION find some tables gone.
bool may_drop_everything() {
    static uint64 decided_in = 0;
    static bool decision = false;
    uint64 xid = U64FromFullTransactionId(GetTopFullTransactionId());
    if (decided_in == xid) return decision;
    bool found = false;
    TransactionId installation = installed_in();
    List *parts = find_inheritance_children(ledger_tables::require().entry, AccessShareLock);
    ListCell *cell;
    foreach (cell, parts) found = found || has_history(lfirst_oid(cell), installation);
    decided_in = xid;
    decision = !found;
    return decision;
}

void check_alter_table(const AlterTableStmt *statement) {
    refuse_if_ledger("ALTER TABLE", statement->relation);
    ListCell *cell;
    foreach (cell, statement->cmds) {
        const AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
        if (command->subtype == AT_AddInherit || command->subtype == AT_DropInherit)
            refuse_if_ledger("inheritance from", castNode(RangeVar, command->def));
        // Under a table of somebody else, statements would no longer name the ledger.
        if (command->subtype == AT_AttachPartition)
            refuse_if_ledger("ATTACH PARTITION of", castNode(PartitionCmd, command->def)->name);
    }
}

// Whatever leaves with another extension, or is part of it, is not the ledger's any more.
void check_extension_contents(const AlterExtensionContentsStmt *statement) {
    if (strcmp(statement->extname, "aegis") == 0)
        refuse("ALTER EXTENSION aegis ADD or DROP", InvalidOid);
    switch (statement->objtype) {
        case OBJECT_TABLE:
        case OBJECT_SEQUENCE:
        case OBJECT_VIEW:
            refuse_if_ledger("ALTER EXTENSION with",
                             makeRangeVarFromNameList(castNode(List, statement->object)));
            break;
        default:
            break;
    }
}

void check_dependence(const AlterObjectDependsStmt *statement) {
    switch (statement->objectType) {
        case OBJECT_FUNCTION:
        case OBJECT_PROCEDURE:
        case OBJECT_ROUTINE:
            if (is_guarding_function(LookupFuncWithArgs(
                    statement->objectType, castNode(ObjectWithArgs, statement->object), true)))
                refuse("change of a function of the ledger", InvalidOid);
            break;
        default:
            refuse_if_ledger("DEPENDS ON EXTENSION for", statement->relation);
            break;
    }
}

bool is_empty(Oid table) {
    if (get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE)
        return true;  // its parts are asked too
    Relation relation = table_open(table, AccessShareLock);
    bool empty = RelationGetNumberOfBlocks(relation) == 0;
    table_close(relation, AccessShareLock);
    return empty;
}

void check_each(const char *what, List *names) {
    ListCell *cell;
    // CREATE STATISTICS takes any FROM here, and refuses what is no name later.
    foreach (cell, names)
        if (IsA(lfirst(cell), RangeVar)) refuse_if_ledger(what, lfirst_node(RangeVar, cell));
}

}  // namespace

void check_relations(List *range_table) {
    ListCell *cell;
    foreach (cell, range_table) {
        const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
        // FOR UPDATE asks for the right to update and is refused with it: nobody needs it here.
        AclMode changes =
            entry->requiredPerms & (ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE);
        if (entry->rtekind != RTE_RELATION || changes == 0) continue;
        if (is_guarding_catalog(entry->relid)) {
            if (!is_exempt() && !creating_extension)
                refuse("direct change of catalog", entry->relid);
            continue;
        }
        if (!ledger_tables::contains(entry->relid) || is_exempt()) continue;
        // A restore fills the tables; it adds, it does not change.
        if (guc::restore_mode && changes == ACL_INSERT) continue;
        if (ledger_tables::is_own_writer() && ledger_tables::is_beside(entry->relid)) continue;
        refuse(changes == ACL_INSERT         ? "INSERT into"
               : (changes & ACL_DELETE) != 0 ? "DELETE from"
                                             : "UPDATE of",
               entry->relid);
    }
}

void check_statement(PlannedStmt *planned) {
    Node *node = planned->utilityStmt;
    if (node == nullptr) return;
    switch (nodeTag(node)) {  // before is_exempt(): most statements are none of these
        case T_AlterExtensionContentsStmt:
        case T_AlterObjectDependsStmt:
        case T_AlterObjectSchemaStmt:
        case T_AlterPolicyStmt:
        case T_AlterSeqStmt:
        case T_AlterTableStmt:
        case T_CreateForeignTableStmt:
        case T_CreatePolicyStmt:
        case T_CreateStatsStmt:
        case T_CreateStmt:
        case T_CreateTrigStmt:
        case T_IndexStmt:
        case T_RenameStmt:
        case T_RuleStmt:
        case T_TruncateStmt:
            break;
        default:
            return;
    }
    if (is_exempt()) return;
    // A restore attaches the partitions that were made after the installation, with their
    // indexes.
    if (guc::restore_mode &&
        (IsA(node, AlterTableStmt) || IsA(node, CreateTrigStmt) || IsA(node, IndexStmt)))
        return;
    switch (nodeTag(node)) {
        case T_AlterExtensionContentsStmt:
            check_extension_contents(castNode(AlterExtensionContentsStmt, node));
            break;
        case T_AlterObjectDependsStmt:
            check_dependence(castNode(AlterObjectDependsStmt, node));
            break;
        case T_AlterObjectSchemaStmt:
            refuse_if_ledger("SET SCHEMA of", castNode(AlterObjectSchemaStmt, node)->relation);
            break;
        case T_AlterPolicyStmt:
            refuse_if_ledger("ALTER POLICY on", castNode(AlterPolicyStmt, node)->table);
            break;
        case T_AlterSeqStmt:
            refuse_if_ledger("ALTER SEQUENCE", castNode(AlterSeqStmt, node)->sequence);
            break;
        case T_AlterTableStmt:
            check_alter_table(castNode(AlterTableStmt, node));
            break;
        case T_CreatePolicyStmt:
            refuse_if_ledger("CREATE POLICY on", castNode(CreatePolicyStmt, node)->table);
            break;
        case T_CreateForeignTableStmt:
            check_each("inheritance from",
                       castNode(CreateForeignTableStmt, node)->base.inhRelations);
            break;
        case T_CreateStatsStmt:  // its expressions would be evaluated with the owner's rights
            check_each("CREATE STATISTICS on", castNode(CreateStatsStmt, node)->relations);
            break;
        case T_CreateStmt:
            check_each("inheritance from", castNode(CreateStmt, node)->inhRelations);
            break;
        case T_CreateTrigStmt:
            refuse_if_ledger("CREATE TRIGGER on", castNode(CreateTrigStmt, node)->relation);
            break;
        case T_IndexStmt:
            refuse_if_ledger("CREATE INDEX on", castNode(IndexStmt, node)->relation);
            break;
        case T_RenameStmt: {
            const RenameStmt *rename = castNode(RenameStmt, node);
            refuse_if_ledger("RENAME of", rename->relation);
            const ledger_tables::Oids *oids = ledger_tables::find();
            if (rename->renameType == OBJECT_SCHEMA && oids != nullptr &&
                get_namespace_oid(rename->subname, true) == oids->schema)
                refuse("RENAME of schema aegis", InvalidOid);
            break;
        }
        case T_RuleStmt:
            refuse_if_ledger("CREATE RULE on", castNode(RuleStmt, node)->relation);
            break;
        case T_TruncateStmt:  // in a restore check_object() looks whether there is anything
            if (!guc::restore_mode) check_each("TRUNCATE", castNode(TruncateStmt, node)->relations);
            break;
        default:
            break;
    }
}

void check_object(ObjectAccessType access, Oid class_id, Oid object_id, int, void *arg) {
    if (is_exempt()) return;
    const char *what = "change of table";
    switch (access) {
        case OAT_TRUNCATE:
            // pg_restore with several jobs empties what it has just made before it fills it.
            if (OidIsValid(ledger_table_of(object_id)) &&
                !(guc::restore_mode && is_empty(object_id)))
                refuse("TRUNCATE", object_id);
            return;
        case OAT_POST_ALTER: {
            auto *altered = static_cast<ObjectAccessPostAlter *>(arg);
            // VACUUM FULL, CLUSTER and REINDEX put a new file under the same rows.
            if (altered != nullptr && altered->is_internal) return;
            if (class_id == InheritsRelationId && altered != nullptr &&
                OidIsValid(ledger_table_of(altered->auxiliary_id)))
                object_id = altered->auxiliary_id;  // the parent; otherwise the child is looked at
            break;
        }
        case OAT_POST_CREATE:
            // Triggers of a foreign key that refers to the ledger are internal, too.
            if (class_id == RelationRelationId ||
                (class_id != TriggerRelationId && arg != nullptr &&
                 static_cast<ObjectAccessPostCreate *>(arg)->is_internal))
                return;
            break;
        case OAT_DROP: {
            // The old index of REINDEX CONCURRENTLY.
            bool internal = arg != nullptr && (static_cast<ObjectAccessDrop *>(arg)->dropflags &
                                               PERFORM_DELETION_INTERNAL);
            if (internal && class_id == RelationRelationId && !ledger_tables::contains(object_id))
                return;
            break;
        }
        default:
            return;
    }
    if (class_id == NamespaceRelationId && access == OAT_POST_ALTER &&
        object_id == ledger_tables::require().schema)
        refuse("change of schema aegis", InvalidOid);
    if (class_id == ProcedureRelationId) {
        if (!is_guarding_function(object_id) || (access == OAT_DROP && may_drop_everything()))
            return;
        refuse("change of a function of the ledger", InvalidOid);
    }
    if (guc::restore_mode && access != OAT_DROP) return;
    Oid table = ledger_table_behind(class_id, object_id, &what);
    if (!OidIsValid(table) || (access == OAT_DROP && may_drop_everything())) return;
    refuse(what, table);
}

}  // namespace aegis::ledger_guard

// Our own code passes: the sealer moves the heads of tenant logs forward, functions that are named
// for it write beside the ledger.
AEGIS_FUNCTION(aegis_refuse_ledger_change) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("not called as a trigger")));
    TriggerData *data = reinterpret_cast<TriggerData *>(fcinfo->context);
    bool insert = TRIGGER_FIRED_BY_INSERT(data->tg_event);
    bool may = aegis::ledger_tables::is_own_change() ||
               (aegis::ledger_tables::is_own_writer() &&
                aegis::ledger_tables::is_beside(RelationGetRelid(data->tg_relation))) ||
               (insert && (aegis::guc::restore_mode || creating_extension));
    if (!may)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_LEDGER_APPEND_ONLY), errmsg("ledger is append-only"),
                        errdetail("Table \"%s\" was to be changed.",
                                  RelationGetRelationName(data->tg_relation))));
    if (TRIGGER_FIRED_BY_UPDATE(data->tg_event)) return PointerGetDatum(data->tg_newtuple);
    return PointerGetDatum(data->tg_trigtuple);
}

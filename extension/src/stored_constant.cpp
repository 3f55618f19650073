// SPDX-License-Identifier: Apache-2.0
// An unknown literal becomes an unsealed constant when its statement is parsed. In a table it is
// sealed at once; in the catalogs it would stay, and nobody could read it after a restart. So every
// expression that is stored is looked through when its object appears.
#include "stored_constant.hpp"

#include "pg/function.hpp"
#include "pg/installed.hpp"
#include "sealed.hpp"

namespace aegis::stored_constant {

namespace {

[[noreturn]] void refuse(const char *what) {
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_UNSEALED), errmsg("%s cannot be stored", what),
             errdetail("It is readable until the server stops only."),
             errhint("Write 'x'::text: a plain constant is sealed or compared when it is used.")));
    pg_unreachable();
}

bool is_unsealed_constant(const Const *constant) {
    if (constant->constisnull) return false;
    Oid type = getBaseType(constant->consttype);
    Oid element = get_element_type(type);
    if (sealed::find_type(OidIsValid(element) ? getBaseType(element) : type) == nullptr)
        return false;
    // An array's elements were read one by one; whoever stores one rarely means envelopes.
    return OidIsValid(element) || !sealed::is_envelope(pg::varlena_view(constant->constvalue));
}

bool refuse_in(Node *node, void *context) {
    if (node == nullptr) return false;
    if (IsA(node, Const) && is_unsealed_constant(reinterpret_cast<Const *>(node)))
        refuse("an unsealed constant");
    if (IsA(node, Query))
        return pg::walk_query(reinterpret_cast<Query *>(node), refuse_in, context);
    return pg::walk_expression(node, refuse_in, context);
}

// Every column of the row that holds an expression.
void check_row(Relation catalog, HeapTuple tuple) {
    TupleDesc row = RelationGetDescr(catalog);
    for (int i = 0; i < row->natts; i++) {
        bool is_null = false;
        if (TupleDescAttr(row, i)->atttypid != PG_NODE_TREEOID) continue;
        Datum tree = heap_getattr(tuple, i + 1, row, &is_null);
        if (!is_null)
            refuse_in(static_cast<Node *>(stringToNode(TextDatumGetCString(tree))), nullptr);
    }
}

// The row is not visible to the catalog's snapshot yet: it was written by this very command.
void check_rows(Oid catalog_id, Oid index, ScanKey keys, int count) {
    Relation catalog = table_open(catalog_id, AccessShareLock);
    SysScanDesc scan = systable_beginscan(catalog, index, true, SnapshotSelf, count, keys);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) check_row(catalog, tuple);
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
}

void check_by_oid(Oid catalog_id, Oid object_id) {
    ScanKeyData key;
    ScanKeyInit(&key, get_object_attnum_oid(catalog_id), BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(object_id));
    check_rows(catalog_id, get_object_oid_index(catalog_id), &key, 1);
}

void check_index(Oid object_id) {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_index_indexrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(object_id));
    check_rows(IndexRelationId, IndexRelidIndexId, &key, 1);
}

Form_pg_attribute attribute_of(HeapTuple tuple) {
    return reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
}

bool is_sealed_type(Oid type) {
    return sealed::find_type(getBaseType(type)) != nullptr;
}

// A generated value is computed after the trigger that would seal it.
void check_generated(Oid relation, int number) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(relation));
    ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
                Int16GetDatum(static_cast<int16>(number)));
    Relation catalog = table_open(AttributeRelationId, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(catalog, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple) && attribute_of(tuple)->attgenerated != '\0' &&
        is_sealed_type(attribute_of(tuple)->atttypid))
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_UNSEALED),
                 errmsg("sealed column \"%s\" cannot be generated",
                        NameStr(attribute_of(tuple)->attname)),
                 errdetail("Generated columns are computed after the value would be sealed.")));
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
}

// A row finds its partition before its values are sealed.
void check_partition_key(Relation table) {
    PartitionKey key = RelationGetPartitionKey(table);
    for (int i = 0; key != nullptr && i < get_partition_natts(key); i++)
        if (is_sealed_type(get_partition_col_typid(key, i)))
            ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED),
                            errmsg("table \"%s\" cannot be partitioned by a sealed value",
                                   RelationGetRelationName(table)),
                            errdetail("A row finds its partition before its values are sealed.")));
}

// The default of an added column goes into the rows that are there, past every trigger.
void check_added_column(Relation table, const ColumnDef *column) {
    TupleDesc row = RelationGetDescr(table);
    for (int i = 0; i < row->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(row, i);
        if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), column->colname) == 0 &&
            attribute->atthasdef && is_sealed_type(attribute->atttypid))
            ereport(
                ERROR,
                (errcode(AEGIS_ERRCODE_UNSEALED),
                 errmsg("sealed column \"%s\" cannot be added with a default", column->colname),
                 errdetail("The rows that are there would get an unsealed value."),
                 errhint("Add the column, call aegis.encrypt_column(), then set the default.")));
    }
}

void check_default(Oid relation, int number) {
    check_generated(relation, number);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_attrdef_adrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(relation));
    ScanKeyInit(&keys[1], Anum_pg_attrdef_adnum, BTEqualStrategyNumber, F_INT2EQ,
                Int16GetDatum(static_cast<int16>(number)));
    check_rows(AttrDefaultRelationId, AttrDefaultIndexId, keys, 2);
}

[[noreturn]] void refuse_common_values() {
    ereport(
        ERROR,
        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
         errmsg("most common sealed values cannot be collected"),
         errdetail("They show how often values occur, and plans compare them without a tenant."),
         errhint("Name other kinds: CREATE STATISTICS ... (ndistinct, dependencies) ON ...")));
    pg_unreachable();
}

// Extended statistics go by the operators of a type and not by its ANALYZE function.
void check_common_values(Form_pg_statistic_ext statistics, List *expressions) {
    for (int i = 0; i < statistics->stxkeys.dim1; i++)
        if (is_sealed_type(get_atttype(statistics->stxrelid, statistics->stxkeys.values[i])))
            refuse_common_values();
    ListCell *cell;
    foreach (cell, expressions)
        if (is_sealed_type(exprType(static_cast<Node *>(lfirst(cell))))) refuse_common_values();
}

void check_statistics(Oid object_id) {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_statistic_ext_oid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(object_id));
    Relation catalog = table_open(StatisticExtRelationId, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(catalog, StatisticExtOidIndexId, true, SnapshotSelf, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "statistics object %u not found", object_id);
    TupleDesc row = RelationGetDescr(catalog);
    bool is_null = false;
    ArrayType *kinds =
        DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_statistic_ext_stxkind, row, &is_null));
    if (memchr(ARR_DATA_PTR(kinds), STATS_EXT_MCV,
               ArrayGetNItems(ARR_NDIM(kinds), ARR_DIMS(kinds))) != nullptr) {
        Datum tree = heap_getattr(tuple, Anum_pg_statistic_ext_stxexprs, row, &is_null);
        check_common_values(
            reinterpret_cast<Form_pg_statistic_ext>(GETSTRUCT(tuple)),
            is_null ? NIL : static_cast<List *>(stringToNode(TextDatumGetCString(tree))));
    }
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
}

}  // namespace

void check_object(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *) {
    if (access != OAT_POST_CREATE && access != OAT_POST_ALTER) return;
    if (!pg::is_installed()) return;  // there is no sealed type
    switch (class_id) {
        case AttrDefaultRelationId:  // announced by table and column
            check_default(object_id, sub_id);
            break;
        case RelationRelationId:
            if (sub_id == 0 && access == OAT_POST_CREATE) check_index(object_id);
            break;
        case RewriteRelationId:
        case ConstraintRelationId:
        case PolicyRelationId:
        case ProcedureRelationId:
        case TriggerRelationId:
            check_by_oid(class_id, object_id);
            break;
        case StatisticExtRelationId:
            check_by_oid(class_id, object_id);
            if (access == OAT_POST_CREATE) check_statistics(object_id);
            break;
        case TypeRelationId:
            check_by_oid(class_id, object_id);
            sealed::check_type(object_id);
            break;
        default:
            break;
    }
}

bool needs_check(PlannedStmt *statement) {
    Node *node = statement->utilityStmt;
    if (node == nullptr) return false;
    if (IsA(node, CreateStmt)) return reinterpret_cast<CreateStmt *>(node)->partspec != nullptr;
    if (!IsA(node, AlterTableStmt)) return false;
    ListCell *cell;
    foreach (cell, reinterpret_cast<AlterTableStmt *>(node)->cmds)
        if (static_cast<AlterTableCmd *>(lfirst(cell))->subtype == AT_AddColumn) return true;
    return false;
}

void check_statement_done(PlannedStmt *statement) {
    Node *node = statement->utilityStmt;
    bool creates = IsA(node, CreateStmt);
    RangeVar *name = creates ? reinterpret_cast<CreateStmt *>(node)->relation
                             : reinterpret_cast<AlterTableStmt *>(node)->relation;
    Oid relid = RangeVarGetRelid(name, NoLock, true);
    if (!OidIsValid(relid)) return;
    Relation table = relation_open(relid, NoLock);
    if (creates) {
        check_partition_key(table);
    } else {
        ListCell *cell;
        foreach (cell, reinterpret_cast<AlterTableStmt *>(node)->cmds) {
            AlterTableCmd *command = static_cast<AlterTableCmd *>(lfirst(cell));
            if (command->subtype == AT_AddColumn)
                check_added_column(table, reinterpret_cast<ColumnDef *>(command->def));
        }
    }
    relation_close(table, NoLock);
}

}  // namespace aegis::stored_constant

// SPDX-License-Identifier: Apache-2.0
#include "field_bond.hpp"
#include "field_twin.hpp"

#include "key_subject.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::field {

namespace {

HTAB *plans = nullptr;

void table_changed(Datum, Oid relid) {
    if (plans == nullptr) return;
    if (relid != InvalidOid) {
        Plan *plan = static_cast<Plan *>(hash_search(plans, &relid, HASH_FIND, nullptr));
        if (plan != nullptr) plan->valid = false;
        return;
    }
    HASH_SEQ_STATUS each;
    hash_seq_init(&each, plans);
    while (Plan *plan = static_cast<Plan *>(hash_seq_search(&each))) plan->valid = false;
}

// A column that the table's owner made: no system column, and not the row as a whole.
bool is_column(Node *node) {
    return IsA(node, Var) && reinterpret_cast<Var *>(node)->varattno > 0;
}

// ROW(column, column, …)
bool read_key(Node *node, Column *column) {
    if (!IsA(node, RowExpr)) return false;
    List *parts = reinterpret_cast<RowExpr *>(node)->args;
    if (list_length(parts) == 0 || list_length(parts) > INDEX_MAX_KEYS) return false;
    ListCell *cell;
    foreach (cell, parts) {
        Node *part = static_cast<Node *>(lfirst(cell));
        if (!is_column(part)) return false;
        column->keys[column->key_count++] = reinterpret_cast<Var *>(part)->varattno;
    }
    return true;
}

// CHECK (aegis.is_sealed_for(column, 'reference'::bigint, tenant_id [, subject] [, ROW(key)]))
bool read_constraint(const char *expression, Column *column) {
    Node *node = static_cast<Node *>(stringToNode(expression));
    if (!IsA(node, FuncExpr)) return false;
    FuncExpr *call = reinterpret_cast<FuncExpr *>(node);
    char *name = get_func_name(call->funcid);
    int count = list_length(call->args);
    if (count < 3 || count > 5 || name == nullptr || strcmp(name, "is_sealed_for") != 0 ||
        get_func_namespace(call->funcid) != get_namespace_oid("aegis", true))
        return false;
    Node *value = static_cast<Node *>(linitial(call->args));
    Node *reference = static_cast<Node *>(lsecond(call->args));
    Node *tenant = static_cast<Node *>(lthird(call->args));
    if (!is_column(value) || !IsA(reference, Const) || !is_column(tenant) ||
        reinterpret_cast<Const *>(reference)->constisnull)
        return false;
    column->number = reinterpret_cast<Var *>(value)->varattno;
    column->reference =
        static_cast<uint32_t>(DatumGetInt64(reinterpret_cast<Const *>(reference)->constvalue));
    column->tenant = reinterpret_cast<Var *>(tenant)->varattno;
    for (int i = 3; i < count; i++) {
        Node *argument = static_cast<Node *>(list_nth(call->args, i));
        if (i == 3 && is_column(argument))
            column->subject = reinterpret_cast<Var *>(argument)->varattno;
        else if (column->key_count != 0 || !read_key(argument, column))
            return false;
    }
    return true;
}

// Text in UTF-8, whatever the encoding of the server.
core::ByteView text_part(Datum value) {
    core::ByteView text = pg::varlena_view(value);
    char *utf8 = pg_server_to_any(reinterpret_cast<const char *>(text.data),
                                  static_cast<int>(text.size), PG_UTF8);
    return reinterpret_cast<const uint8_t *>(utf8) == text.data ? text : pg::view_of(utf8);
}

// A part of a primary key as PostgreSQL's binary protocol sends it.
core::ByteView key_part(Oid type, Datum value, uint8_t room[8]) {
    switch (type) {
        case UUIDOID:
            return pg::view_of(*DatumGetUUIDP(value));
        case BOOLOID:
            room[0] = DatumGetBool(value);
            return {room, 1};
        case INT2OID:
            core::put_u16(room, static_cast<uint16_t>(DatumGetInt16(value)));
            return {room, 2};
        case INT4OID:
        case DATEOID:
            core::put_u32(room, static_cast<uint32_t>(DatumGetInt32(value)));
            return {room, 4};
        case INT8OID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            core::put_u64(room, static_cast<uint64_t>(DatumGetInt64(value)));
            return {room, 8};
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
            return text_part(value);
        case BYTEAOID:
            return pg::varlena_view(value);
        default:
            break;
    }
    Oid base = getBaseType(type);
    if (base != type) return key_part(base, value, room);
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("a value cannot be bound to a key of type %s", format_type_be(type))));
    pg_unreachable();
}

bool is_same(core::ByteView a, core::ByteView b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Finds the plan of a table, made when it is not there.
Plan *entry_for(Oid relid) {
    if (plans == nullptr) {
        HASHCTL control{};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(Plan);
        control.hcxt = CacheMemoryContext;
        plans =
            hash_create("aegis sealed tables", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }
    bool found = false;
    Plan *plan = static_cast<Plan *>(hash_search(plans, &relid, HASH_ENTER, &found));
    if (!found) {
        plan->columns = nullptr;
        plan->count = 0;
        plan->valid = false;
    }
    return plan;
}

// The plan of the table whose rows have a type; nullptr when no table has it.
const Plan *plan_of_row(Oid row_type) {
    Oid relid = row_type == RECORDOID ? InvalidOid : get_typ_typrelid(row_type);
    char kind = OidIsValid(relid) ? get_rel_relkind(relid) : '\0';
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) return nullptr;
    Plan *plan = entry_for(relid);
    if (plan->valid) return plan;
    Relation relation = relation_open(relid, AccessShareLock);
    const Plan *made = plan_for(relation);
    relation_close(relation, AccessShareLock);
    return made;
}

}  // namespace

Column describe(TupleDesc row, AttrNumber number) {
    for (int i = 0; row->constr != nullptr && i < row->constr->num_check; i++) {
        Column column{};
        if (read_constraint(row->constr->check[i].ccbin, &column) && column.number == number)
            return column;
    }
    Column none{};
    none.number = number;
    return none;
}

const Plan *plan_for(Relation relation) {
    Plan *plan = entry_for(RelationGetRelid(relation));
    if (plan->valid) return plan;
    TupleDesc row = RelationGetDescr(relation);
    Column *columns = static_cast<Column *>(palloc(sizeof(Column) * Max(row->natts, 1)));
    int count = 0;
    for (int i = 0; i < row->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(row, i);
        if (!attribute->attisdropped && sealed::find_type(attribute->atttypid) != nullptr)
            columns[count++] = describe(row, attribute->attnum);
    }
    mark_twins(row, columns, count);
    if (plan->columns != nullptr) pfree(plan->columns);
    plan->columns = nullptr;
    plan->count = 0;
    plan->columns = static_cast<Column *>(
        MemoryContextAlloc(CacheMemoryContext, sizeof(Column) * Max(count, 1)));
    memcpy(plan->columns, columns, sizeof(Column) * count);
    plan->count = count;
    plan->valid = true;
    pfree(columns);
    return plan;
}

const Column *bound_column(Relation relation, AttrNumber number) {
    const Plan *plan = plan_for(relation);
    for (int i = 0; i < plan->count; i++)
        if (plan->columns[i].number == number && is_bound(plan->columns[i]))
            return &plan->columns[i];
    return nullptr;
}

const Column *column_of(const Plan &plan, uint32_t reference) {
    for (int i = 0; i < plan.count; i++)
        if (plan.columns[i].tenant != 0 && plan.columns[i].reference == reference)
            return &plan.columns[i];
    return nullptr;
}

bool read_bond(const Column &column, TupleDesc shape, HeapTuple row, Bond *out) {
    bool is_null = false;
    if (column.subject != 0) {
        Datum subject = heap_getattr(row, column.subject, shape, &is_null);
        if (is_null) return false;
        out->subject =
            key::encode_subject(TupleDescAttr(shape, column.subject - 1)->atttypid, subject);
    }
    if (column.key_count == 0) return true;
    struct Part {
        uint8_t room[8];
    };
    core::ByteView *parts =
        static_cast<core::ByteView *>(palloc(sizeof(core::ByteView) * column.key_count));
    Part *rooms = static_cast<Part *>(palloc(sizeof(Part) * column.key_count));
    for (int i = 0; i < column.key_count; i++) {
        Datum part = heap_getattr(row, column.keys[i], shape, &is_null);
        if (is_null) return false;
        parts[i] =
            key_part(TupleDescAttr(shape, column.keys[i] - 1)->atttypid, part, rooms[i].room);
    }
    out->parts = parts;
    out->count = column.key_count;
    return true;
}

bool read_bond(Relation relation, AttrNumber number, HeapTuple row, Bond *out) {
    const Column *column = bound_column(relation, number);
    return column == nullptr || read_bond(*column, RelationGetDescr(relation), row, out);
}

bool read_bond(Datum row, uint32_t reference, Bond *out) {
    HeapTupleHeader header = DatumGetHeapTupleHeader(row);
    Oid type = HeapTupleHeaderGetTypeId(header);
    const Plan *plan = plan_of_row(type);
    if (plan == nullptr)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("the row is not a whole row of a table"),
                        errhint("Name the table, or its alias, as in aegis.reveal(c.email, c).")));
    const Column *found = column_of(*plan, reference);
    if (found == nullptr) return false;
    Column column = *found;  // a change of the table that arrives below must not move it
    TupleDesc shape = lookup_rowtype_tupdesc(type, HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    bool whole = read_bond(column, shape, &tuple, out);
    ReleaseTupleDesc(shape);
    return whole;
}

bool read_bond(FunctionCallInfo fcinfo, const core::EnvelopeParts &envelope, Bond *out) {
    if ((envelope.header.flags & kBondFlags) == 0) return true;
    if (PG_NARGS() < 2)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the value is bound to its row, which is not given"),
                 errhint("Pass the whole row beside the value, as in aegis.reveal(c.email, c).")));
    return read_bond(PG_GETARG_DATUM(1), envelope.header.field, out);
}

void read_key(Datum record, Bond *out) {
    HeapTupleHeader header = DatumGetHeapTupleHeader(record);
    TupleDesc shape =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    Column column{};
    column.key_count = static_cast<uint8_t>(Min(shape->natts, INDEX_MAX_KEYS));
    for (int i = 0; i < column.key_count; i++) column.keys[i] = static_cast<AttrNumber>(i + 1);
    bool whole = read_bond(column, shape, &tuple, out);
    ReleaseTupleDesc(shape);
    if (!whole)
        ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("a part of a key is null")));
}

bool is_same_bond(const Bond &a, const Bond &b) {
    bool same = a.count == b.count && is_same(a.subject, b.subject);
    for (int i = 0; same && i < a.count; i++) same = is_same(a.parts[i], b.parts[i]);
    return same;
}

const char *row_argument(Relation relation, AttrNumber column) {
    return bound_column(relation, column) != nullptr ? psprintf(", %s", kRowAlias) : "";
}

bool can_bind(Oid type) {
    switch (getBaseType(type)) {
        case UUIDOID:
        case BOOLOID:
        case INT2OID:
        case INT4OID:
        case DATEOID:
        case INT8OID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case BYTEAOID:
            return true;
        default:
            return false;
    }
}

void define_bond() {
    pg::on_relation_change(table_changed);
}

}  // namespace aegis::field

namespace {

using namespace aegis;

// For CHECK constraints, hence never NULL, as is_sealed_for() of three arguments. That the value is
// of this subject and row is for the key to say, which a constraint does not have.
Datum is_sealed_with(FunctionCallInfo fcinfo, uint8_t bond_flags) {
    if (PG_ARGISNULL(0)) PG_RETURN_BOOL(true);
    for (int i = 1; i < PG_NARGS(); i++)
        if (PG_ARGISNULL(i)) PG_RETURN_BOOL(false);
    const sealed::Type &type = sealed::type_of(fcinfo);  // before the value is read as one
    PG_RETURN_BOOL(sealed::is_for(type, pg::varlena_view(PG_GETARG_DATUM(0)), PG_GETARG_INT64(1),
                                  *PG_GETARG_UUID_P(2), bond_flags));
}

}  // namespace

AEGIS_FUNCTION(aegis_is_sealed_for_subject) {
    return is_sealed_with(fcinfo, core::kFlagSubject);
}
AEGIS_FUNCTION(aegis_is_sealed_for_row) {
    return is_sealed_with(fcinfo, core::kFlagRowBound);
}
AEGIS_FUNCTION(aegis_is_sealed_for_subject_row) {
    return is_sealed_with(fcinfo, core::kFlagSubject | core::kFlagRowBound);
}

// SPDX-License-Identifier: Apache-2.0
// The BEFORE ROW trigger that seals. Which column belongs to which field is read from the table's
// CHECK constraints: they follow renames, partitions and restores, and what they say is what is
// enforced at rest.
#include "field.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::field {

namespace {

struct Column {
    AttrNumber number;
    AttrNumber tenant;  // 0: the column has no constraint
    uint32_t reference;
};

struct Plan {   // of one table
    Oid relid;  // hash key
    bool valid;
    int count;
    Column *columns;
};

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

// CHECK (aegis.is_sealed_for(column, 'reference'::bigint, tenant_id))
bool read_constraint(const char *expression, Column *column) {
    Node *node = static_cast<Node *>(stringToNode(expression));
    if (!IsA(node, FuncExpr)) return false;
    FuncExpr *call = reinterpret_cast<FuncExpr *>(node);
    char *name = get_func_name(call->funcid);
    if (list_length(call->args) != 3 || name == nullptr || strcmp(name, "is_sealed_for") != 0 ||
        get_func_namespace(call->funcid) != get_namespace_oid("aegis", true))
        return false;
    Node *value = static_cast<Node *>(linitial(call->args));
    Node *reference = static_cast<Node *>(lsecond(call->args));
    Node *tenant = static_cast<Node *>(lthird(call->args));
    if (!IsA(value, Var) || !IsA(reference, Const) || !IsA(tenant, Var) ||
        reinterpret_cast<Const *>(reference)->constisnull)
        return false;
    column->number = reinterpret_cast<Var *>(value)->varattno;
    column->reference =
        static_cast<uint32_t>(DatumGetInt64(reinterpret_cast<Const *>(reference)->constvalue));
    column->tenant = reinterpret_cast<Var *>(tenant)->varattno;
    return true;
}

Column describe(TupleDesc row, AttrNumber number) {
    for (int i = 0; row->constr != nullptr && i < row->constr->num_check; i++) {
        Column column{};
        if (read_constraint(row->constr->check[i].ccbin, &column) && column.number == number)
            return column;
    }
    return {number, 0, 0};
}

const Plan *plan_for(Relation relation) {
    if (plans == nullptr) {
        HASHCTL control{};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(Plan);
        control.hcxt = CacheMemoryContext;
        plans =
            hash_create("aegis sealed tables", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }
    Oid relid = RelationGetRelid(relation);
    bool found = false;
    Plan *plan = static_cast<Plan *>(hash_search(plans, &relid, HASH_ENTER, &found));
    if (found && plan->valid) return plan;
    if (!found) {
        plan->columns = nullptr;
        plan->count = 0;
    }
    plan->valid = false;
    TupleDesc row = RelationGetDescr(relation);
    Column *columns = static_cast<Column *>(palloc(sizeof(Column) * Max(row->natts, 1)));
    int count = 0;
    for (int i = 0; i < row->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(row, i);
        if (!attribute->attisdropped && sealed::find_type(attribute->atttypid) != nullptr)
            columns[count++] = describe(row, attribute->attnum);
    }
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

const Field &field_of(Relation relation, const Column &column) {
    const Field *found = column.tenant != 0 ? find(column.reference) : nullptr;
    if (found == nullptr)
        ereport(
            ERROR,
            (errcode(AEGIS_ERRCODE_UNSEALED),
             errmsg("column \"%s\" of table \"%s\" is not a registered field",
                    NameStr(TupleDescAttr(RelationGetDescr(relation), column.number - 1)->attname),
                    RelationGetRelationName(relation)),
             errhint("Call aegis.encrypt_column() for it.")));
    return *found;
}

bool same_bytes(core::ByteView a, core::ByteView b) {
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

// True when the old value may stay because it means the same. Only for those who may read the field
// anyway: for others, seeing whether the bytes change would tell whether a guess is right.
bool keeps(const pg_uuid_t &tenant, const Field &field, core::ByteView old_value,
           core::ByteView plaintext) {
    const context::Context *context = context::current();
    if (context == nullptr || memcmp(&context->tenant, &tenant, sizeof tenant) != 0 ||
        level(field) != Level::full || !sealed::is_envelope(old_value))
        return false;
    core::EnvelopeParts parts = sealed::parse(old_value);
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    if (memcmp(parts.header.tenant_tag, tag, sizeof tag) != 0 ||
        parts.header.field != field.reference)
        return false;
    core::ByteSpan opened = open(tenant, field, old_value);
    bool equal = core::equal_constant_time(opened, plaintext);
    sealed::discard(opened);
    return equal;
}

// A value that comes back from elsewhere must not bring an older key into use again.
bool is_current(const pg_uuid_t &tenant, const Field &field, core::ByteView envelope) {
    uint32_t epoch = key::kCurrentEpoch;
    key::field_cipher(tenant, field.reference, &epoch);
    return sealed::parse(envelope).header.epoch == epoch;
}

// What is to be stored instead of `value`; the same pointer when it can stay.
Datum sealed_value(const pg_uuid_t &tenant, const Field &field, Datum value, bool has_old,
                   Datum old) {
    core::ByteView view = pg::varlena_view(value);
    core::ByteView old_view = has_old ? pg::varlena_view(old) : core::ByteView();
    bool is_envelope = sealed::is_envelope(view);
    // Keys may be restored after what they open.
    if (is_envelope && guc::restore_mode) return value;
    if (field.type_reference != 0 && key_cache::search_is_frozen(tenant))
        ereport(ERROR,
                (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                 errmsg("field \"%s\" cannot be written while the search key of its tenant is "
                        "rotated",
                        field.name),
                 errhint("Try again when the job is done.")));
    // An envelope from outside is opened once, so that nothing rests here that cannot be read.
    core::ByteSpan plaintext =
        is_envelope ? open(tenant, field, view) : sealed::open_unsealed(view);
    Datum result = value;
    if (has_old && keeps(tenant, field, old_view, plaintext))
        result = old;
    else if (!is_envelope || !is_current(tenant, field, view))
        result = PointerGetDatum(seal(tenant, field, plaintext));
    sealed::discard(plaintext);
    return result;
}

HeapTuple seal_row(TriggerData *trigger) {
    Relation relation = trigger->tg_relation;
    TupleDesc row = RelationGetDescr(relation);
    bool update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    HeapTuple tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
    HeapTuple old_tuple = update ? trigger->tg_trigtuple : nullptr;
    const Plan *plan = plan_for(relation);
    // Invalidations that arrive below mark the plan only; it is rebuilt when the next row comes.
    int count = plan->count;
    const Column *columns = plan->columns;
    int *numbers = static_cast<int *>(palloc(sizeof(int) * Max(count, 1)));
    Datum *values = static_cast<Datum *>(palloc(sizeof(Datum) * Max(count, 1)));
    bool *nulls = static_cast<bool *>(palloc0(sizeof(bool) * Max(count, 1)));
    int changed = 0;

    for (int i = 0; i < count; i++) {
        const Column &column = columns[i];
        bool is_null = false, old_null = true, tenant_null = true, old_tenant_null = true;
        Datum value = heap_getattr(tuple, column.number, row, &is_null);
        if (is_null) continue;
        const Field &field = field_of(relation, column);
        Datum tenant = heap_getattr(tuple, column.tenant, row, &tenant_null);
        if (tenant_null)
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_NO_TENANT), errmsg("tenant is not set"),
                     errdetail("The row has no tenant to seal field \"%s\" for.", field.name)));
        pg_uuid_t tenant_id = *DatumGetUUIDP(tenant);
        Datum old = 0;
        if (update) {
            old = heap_getattr(old_tuple, column.number, row, &old_null);
            Datum old_tenant = heap_getattr(old_tuple, column.tenant, row, &old_tenant_null);
            bool same_tenant = !old_tenant_null &&
                               memcmp(DatumGetUUIDP(old_tenant), &tenant_id, sizeof tenant_id) == 0;
            if (!old_null && same_tenant &&
                same_bytes(pg::varlena_view(old), pg::varlena_view(value)))
                continue;
        }
        Datum stored = sealed_value(tenant_id, field, value, !old_null, old);
        if (stored != value) {
            numbers[changed] = column.number;
            values[changed++] = stored;
        }
    }
    return changed == 0 ? tuple
                        : heap_modify_tuple_by_cols(tuple, row, changed, numbers, values, nulls);
}

}  // namespace

void define_trigger() {
    pg::on_relation_change(table_changed);
}

}  // namespace aegis::field

AEGIS_FUNCTION(aegis_seal_row) {
    TriggerData *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
        !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
        !(TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
        ereport(ERROR,
                (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                 errmsg("aegis.seal_row() is a BEFORE INSERT OR UPDATE trigger for each row")));
    PG_RETURN_POINTER(aegis::field::seal_row(trigger));
}

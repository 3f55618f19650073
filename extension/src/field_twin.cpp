// SPDX-License-Identifier: Apache-2.0
// The trigger that keeps a twin true to its column, whoever writes the row. It fires in every mode
// and after all others, the sealing one included, so what it reads is what will be stored.
#include "field_twin.hpp"

#include "key_cache.hpp"
#include "key_subject.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/trigger.hpp"

namespace aegis::field {

namespace {

struct TwinPlan {  // of one table
    Oid relid;     // hash key
    bool valid;
    int count;
    Pair pairs[kMostPairs];
    bool under_way[kMostPairs];
};

// Columns of aegis.conversion.
enum ConversionColumn { kConversionRelation = 2, kConversionDirection = 4 };

HTAB *plans = nullptr;

void table_changed(Datum, Oid relid) {
    if (plans == nullptr) return;
    HASH_SEQ_STATUS each;
    hash_seq_init(&each, plans);
    while (TwinPlan *plan = static_cast<TwinPlan *>(hash_seq_search(&each)))
        if (relid == InvalidOid || plan->relid == relid) plan->valid = false;
}

// Whether somebody who may began the conversion of this table, or of the one that it is a part of,
// in this direction. The constraints alone do not say so: whoever may make a table may write them,
// and would read what the keys of others open.
bool is_under_way(Relation relation, const Pair &pair) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(pair.sealed.reference));
    own_table::Scan scan = own_table::begin("conversion", &key);
    HeapTuple tuple = own_table::next(scan);
    bool found = false;
    if (HeapTupleIsValid(tuple)) {
        bool is_null = false;
        Oid table = DatumGetObjectId(own_table::column(scan, tuple, kConversionRelation, &is_null));
        core::ByteView direction =
            pg::varlena_view(own_table::column(scan, tuple, kConversionDirection, &is_null));
        const char *wanted = pair.seals() ? "encrypt" : "decrypt";
        found = direction.size == strlen(wanted) &&
                memcmp(direction.data, wanted, direction.size) == 0 &&
                (table == RelationGetRelid(relation) ||
                 (relation->rd_rel->relispartition &&
                  list_member_oid(get_partition_ancestors(RelationGetRelid(relation)), table)));
    }
    own_table::end(scan);
    return found;
}

const TwinPlan &plan_for_twins(Relation relation) {
    if (plans == nullptr) {
        HASHCTL control{};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(TwinPlan);
        plans = hash_create("aegis tables in conversion", 8, &control, HASH_ELEM | HASH_BLOBS);
    }
    Oid relid = RelationGetRelid(relation);
    bool found = false;
    TwinPlan *plan = static_cast<TwinPlan *>(hash_search(plans, &relid, HASH_ENTER, &found));
    if (!found) plan->valid = false;
    if (!plan->valid) {
        plan->valid = true;  // first: a change that arrives meanwhile clears it again
        plan->count = 0;
        int count = find_pairs(RelationGetDescr(relation), plan->pairs);
        bool all = true;
        for (int i = 0; i < count; i++)
            all &= plan->under_way[i] = is_under_way(relation, plan->pairs[i]);
        plan->count = count;
        if (!all) plan->valid = false;  // a restore may bring the conversion later
    }
    return *plan;
}

// The value, its twin, its tenant and what it is bound to are what they were. A row from before the
// conversion reached it has no twin yet, and gets it here.
bool is_untouched(const Pair &pair, TupleDesc shape, HeapTuple before, HeapTuple now) {
    bool old_source_null = false, old_twin_null = false;
    heap_getattr(before, pair.source, shape, &old_source_null);
    heap_getattr(before, pair.twin, shape, &old_twin_null);
    if (old_source_null != old_twin_null) return false;
    for (AttrNumber number : {pair.source, pair.twin}) {
        bool old_null = false, null = false;
        Datum old = heap_getattr(before, number, shape, &old_null);
        Datum value = heap_getattr(now, number, shape, &null);
        Form_pg_attribute attribute = TupleDescAttr(shape, number - 1);
        if (old_null != null ||
            (!null && !datum_image_eq(old, value, attribute->attbyval, attribute->attlen)))
            return false;
    }
    bool old_null = false, null = false;
    Datum old = heap_getattr(before, pair.sealed.tenant, shape, &old_null);
    Datum tenant = heap_getattr(now, pair.sealed.tenant, shape, &null);
    if (old_null || null || memcmp(DatumGetUUIDP(old), DatumGetUUIDP(tenant), UUID_LEN) != 0)
        return false;
    Bond old_bond, bond;
    return !is_bound(pair.sealed) ||
           (read_bond(pair.sealed, shape, before, &old_bond) &&
            read_bond(pair.sealed, shape, now, &bond) && is_same_bond(old_bond, bond));
}

const Field &converted(const Pair &pair, bool under_way, TupleDesc shape) {
    const Field *found = under_way ? find(pair.sealed.reference) : nullptr;
    if (found == nullptr)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED),
                        errmsg("column \"%s\" is not being converted",
                               NameStr(TupleDescAttr(shape, pair.source - 1)->attname)),
                        errhint("Drop the trigger, and the column \"%s\" that followed it.",
                                NameStr(TupleDescAttr(shape, pair.twin - 1)->attname))));
    return *found;
}

HeapTuple keep_twins(TriggerData *trigger) {
    TupleDesc shape = RelationGetDescr(trigger->tg_relation);
    bool update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    HeapTuple tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
    TwinPlan plan = plan_for_twins(trigger->tg_relation);
    int numbers[kMostPairs];
    Datum values[kMostPairs];
    bool nulls[kMostPairs];
    int changed = 0;
    for (int i = 0; i < plan.count; i++) {
        const Pair &pair = plan.pairs[i];
        if (update && is_untouched(pair, shape, trigger->tg_trigtuple, tuple)) continue;
        const Field &field = converted(pair, plan.under_way[i], shape);
        if (is_held_back(pair, field, shape, tuple))
            ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                            errmsg("field \"%s\" cannot be written while the search key of its "
                                   "tenant is rotated",
                                   field.name),
                            errhint("Try again when the job is done.")));
        if (is_true_twin(pair, field, shape, tuple)) continue;
        numbers[changed] = pair.twin;
        values[changed] = make_twin(pair, field, shape, tuple, &nulls[changed]);
        changed++;
    }
    return changed == 0 ? tuple
                        : heap_modify_tuple_by_cols(tuple, shape, changed, numbers, values, nulls);
}

// What a value of the row belongs to.
pg_uuid_t owner_of(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row,
                   Bond *bond) {
    bool is_null = false;
    Datum tenant = heap_getattr(row, pair.sealed.tenant, shape, &is_null);
    if (is_null)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NO_TENANT), errmsg("tenant is not set"),
                        errdetail("The row has no tenant to seal field \"%s\" for.", field.name)));
    if (is_bound(pair.sealed) && !read_bond(pair.sealed, shape, row, bond))
        ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                        errmsg("a row that has a value of field \"%s\" does not say whose it is",
                               field.name),
                        errdetail("Its subject, or a part of its key, is null.")));
    return *DatumGetUUIDP(tenant);
}

// Whether an envelope holds this plaintext, and can be found by it. One that does not open is of
// another person or row, for rows change hands; the caller makes another.
bool holds(const pg_uuid_t &tenant, const Field &field, const core::EnvelopeParts &parts,
           const Bond &bond, core::ByteView plain) {
    if (bond.subject.size != 0 &&
        key::subject_state(tenant, bond.subject) != key::SubjectState::present)
        return false;
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = cipher_for(tenant, field.reference, bond, &epoch, false);
    core::Binding binding = binding_of(tenant, bond);
    size_t size = core::envelope_plaintext_size(parts);
    core::ByteSpan opened{static_cast<uint8_t *>(palloc(size + 1)), size};
    bool equal = !pg::run([&] { core::open_envelope(*cipher, parts, binding, opened); }).failed &&
                 core::equal_constant_time(opened, plain);
    sealed::discard(opened);
    if (!equal || field.type->reference == 0) return equal;
    uint8_t token[core::kTokenBytes];
    sealed::token_of_plaintext(tenant, *field.type, plain, token);
    return core::equal_constant_time(core::ByteView{token, sizeof token}, parts.token);
}

// CHECK (aegis.is_twin(column, twin))
bool read_constraint(const char *expression, Pair *pair) {
    Node *node = static_cast<Node *>(stringToNode(expression));
    if (!IsA(node, FuncExpr)) return false;
    FuncExpr *call = reinterpret_cast<FuncExpr *>(node);
    char *name = get_func_name(call->funcid);
    if (list_length(call->args) != 2 || name == nullptr || strcmp(name, "is_twin") != 0 ||
        get_func_namespace(call->funcid) != get_namespace_oid("aegis", true) ||
        !IsA(linitial(call->args), Var) || !IsA(lsecond(call->args), Var))
        return false;
    pair->source = reinterpret_cast<Var *>(linitial(call->args))->varattno;
    pair->twin = reinterpret_cast<Var *>(lsecond(call->args))->varattno;
    // No system column, and not the row as a whole.
    return pair->source > 0 && pair->twin > 0 && pair->source != pair->twin;
}

}  // namespace

int find_pairs(TupleDesc row, Pair *pairs) {
    int count = 0;
    for (int i = 0; row->constr != nullptr && i < row->constr->num_check && count < kMostPairs;
         i++) {
        Pair pair{};
        if (!read_constraint(row->constr->check[i].ccbin, &pair)) continue;
        Oid twin_type = TupleDescAttr(row, pair.twin - 1)->atttypid;
        Oid source_type = TupleDescAttr(row, pair.source - 1)->atttypid;
        const sealed::Type *type = sealed::find_type(twin_type);
        bool seals = type != nullptr;
        if (!seals) type = sealed::find_type(source_type);
        // Whoever may make a table may write such a constraint over columns of any type.
        if (type == nullptr || !has_plaintext(*type, seals ? source_type : twin_type)) continue;
        pair.sealed = describe(row, seals ? pair.twin : pair.source);
        if (pair.sealed.tenant == 0) continue;  // whoever dropped its constraint gets no twins
        pairs[count++] = pair;
    }
    return count;
}

bool find_pair(TupleDesc row, uint32_t reference, Pair *pair) {
    Pair pairs[kMostPairs];
    int count = find_pairs(row, pairs);
    for (int i = 0; i < count; i++)
        if (pairs[i].sealed.reference == reference) {
            *pair = pairs[i];
            return true;
        }
    return false;
}

void mark_twins(TupleDesc row, Column *columns, int count) {
    Pair pairs[kMostPairs];
    int found = find_pairs(row, pairs);
    for (int i = 0; i < found; i++)
        for (int k = 0; k < count; k++)
            if (columns[k].number == pairs[i].twin) columns[k].is_twin = true;
}

bool has_plaintext(const sealed::Type &type, Oid plain) {
    Oid wanted = type.kind->plain;
    return plain == wanted || (wanted == TEXTOID && (plain == VARCHAROID || plain == BPCHAROID));
}

core::ByteView plaintext_of(const sealed::Type &type, Datum value, Oid plain) {
    if (type.kind->plain != TEXTOID) return sealed::plaintext_of(*type.kind, value);
    core::ByteView view = pg::varlena_view(value);
    if (plain == BPCHAROID)
        while (view.size > 0 && view.data[view.size - 1] == ' ') view.size--;
    return view;
}

bool is_held_back(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row) {
    bool is_null = false;
    if (!pair.seals() || field.type->reference == 0 || heap_attisnull(row, pair.source, shape))
        return false;
    Datum tenant = heap_getattr(row, pair.sealed.tenant, shape, &is_null);
    return !is_null && key_cache::search_is_frozen(*DatumGetUUIDP(tenant));
}

bool is_true_twin(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row) {
    bool source_null = false, twin_null = false;
    Datum source = heap_getattr(row, pair.source, shape, &source_null);
    Datum twin = heap_getattr(row, pair.twin, shape, &twin_null);
    if (source_null || twin_null) return source_null && twin_null;
    Bond bond;
    pg_uuid_t tenant = owner_of(pair, field, shape, row, &bond);
    core::ByteView envelope = pg::varlena_view(pair.seals() ? twin : source);
    AttrNumber plain_number = pair.seals() ? pair.source : pair.twin;
    core::ByteView plain = plaintext_of(*field.type, pair.seals() ? source : twin,
                                        TupleDescAttr(shape, plain_number - 1)->atttypid);
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    if (!sealed::is_envelope(envelope)) return false;
    core::EnvelopeParts parts = sealed::parse(envelope);
    if (memcmp(parts.header.tenant_tag, tag, sizeof tag) != 0 ||
        parts.header.field != field.reference ||
        (parts.header.flags & (kBondFlags | core::kFlagTokenRemoved)) != flags_of(bond))
        return false;
    return holds(tenant, field, parts, bond, plain);
}

Datum make_twin(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row,
                bool *is_null) {
    Datum source = heap_getattr(row, pair.source, shape, is_null);
    if (*is_null) return static_cast<Datum>(0);
    Bond bond;
    pg_uuid_t tenant = owner_of(pair, field, shape, row, &bond);
    if (pair.seals()) {
        Oid type = TupleDescAttr(shape, pair.source - 1)->atttypid;
        return PointerGetDatum(seal(tenant, field, plaintext_of(*field.type, source, type), bond));
    }
    core::ByteSpan opened = open(tenant, field, pg::varlena_view(source), bond);
    Datum plain = sealed::plain_of(*field.type->kind, opened);
    sealed::discard(opened);
    return plain;
}

void define_twin() {
    pg::on_relation_change(table_changed);
}

}  // namespace aegis::field

AEGIS_FUNCTION(aegis_keep_twin) {
    PG_RETURN_POINTER(aegis::field::keep_twins(aegis::pg::before_write(fcinfo, "keep_twin")));
}

// What can be said without a key: neither is there without the other.
AEGIS_FUNCTION(aegis_is_twin) {
    PG_RETURN_BOOL(PG_ARGISNULL(0) == PG_ARGISNULL(1));
}

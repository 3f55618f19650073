// SPDX-License-Identifier: Apache-2.0
// The triggers of audited tables. Which columns may stand in clear follows from their types and
// from the trigger's arguments; everything else goes into one envelope under the tenant's audit
// key.
#include "core/cbor.hpp"

#include "audit.hpp"

#include "context.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "reseal.hpp"
#include "tenant_erase.hpp"
#include "tenant_import.hpp"
#include "audit_value.hpp"
#include "withheld.hpp"

namespace aegis::audit {

namespace {

// Keys of the row image, core/entry.hpp.
enum ImageKey : uint64_t {
    kRelation = 0,
    kOperation = 1,
    kPrimaryKey = 2,
    kOld = 3,
    kNew = 4,
    kSealedRest = 5
};

struct Column {
    AttrNumber number;
    bool in_key;  // part of the primary key and clear
    bool clear;
    bool by_value;
    int16 length;
    const char *name;
    audit_value::Encoding encoding;
};

struct Plan {  // of one table; columns in canonical order of their names
    Oid relation;
    bool valid;
    bool stale;
    MemoryContext memory;
    const char *name;
    AttrNumber tenant;  // column tenant_id, 0 for none
    bool withheld;      // entries are the system's, not the tenant's
    int count;
    int key_count;
    Column *columns;
};

HTAB *plans = nullptr;

void forget(Datum, Oid relation) {
    if (plans == nullptr) return;
    if (OidIsValid(relation)) {
        Plan *plan = static_cast<Plan *>(hash_search(plans, &relation, HASH_FIND, nullptr));
        if (plan != nullptr) {
            plan->valid = false;
            plan->stale = true;
        }
        return;
    }
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, plans);
    while (void *entry = hash_seq_search(&status)) {
        Plan *plan = static_cast<Plan *>(entry);
        plan->valid = false;
        plan->stale = true;
    }
}

int by_canonical_name(const void *a, const void *b) {
    const char *left = static_cast<const Column *>(a)->name,
               *right = static_cast<const Column *>(b)->name;
    size_t left_length = strlen(left), right_length = strlen(right);
    if (left_length != right_length) return left_length < right_length ? -1 : 1;
    return strcmp(left, right);
}

bool is_named(const Trigger *trigger, const char *column) {
    for (int i = 0; i < trigger->tgnargs; i++)
        if (strcmp(trigger->tgargs[i], column) == 0) return true;
    return false;
}

void build(Plan *plan, Relation relation, const Trigger *trigger) {
    if (plan->memory == nullptr)
        plan->memory =
            AllocSetContextCreate(TopMemoryContext, "aegis audited table", ALLOCSET_SMALL_SIZES);
    MemoryContextReset(plan->memory);
    MemoryContext caller = MemoryContextSwitchTo(plan->memory);
    TupleDesc shape = RelationGetDescr(relation);
    Bitmapset *key = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
    // Whoever reads the ledger looks for the table; its partitions are a matter of storage.
    Oid named = RelationGetRelid(relation);
    if (trigger->tgisclone) named = llast_oid(get_partition_ancestors(named));
    plan->name =
        psprintf("%s.%s", get_namespace_name(get_rel_namespace(named)), get_rel_name(named));
    plan->columns = static_cast<Column *>(palloc0(sizeof(Column) * Max(shape->natts, 1)));
    plan->count = plan->key_count = 0;
    plan->tenant = 0;
    plan->withheld = withheld::holds(named);
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        Column *column = &plan->columns[plan->count++];
        column->number = attribute->attnum;
        column->name = pstrdup(NameStr(attribute->attname));
        column->by_value = attribute->attbyval;
        column->length = attribute->attlen;
        column->encoding = audit_value::encoding_of(attribute->atttypid);
        column->clear = column->encoding.is_public || is_named(trigger, column->name);
        column->in_key = column->clear &&
                         bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, key);
        plan->key_count += column->in_key;
        if (attribute->atttypid == UUIDOID && strcmp(column->name, "tenant_id") == 0)
            plan->tenant = attribute->attnum;
    }
    qsort(plan->columns, plan->count, sizeof(Column), by_canonical_name);
    MemoryContextSwitchTo(caller);
}

const Plan &plan_of(Relation relation, const Trigger *trigger) {
    Oid oid = RelationGetRelid(relation);
    static const Plan *last = nullptr;  // a table of plans loses none
    if (last != nullptr && last->relation == oid && last->valid) return *last;
    if (plans == nullptr) {
        HASHCTL control = {};
        control.keysize = sizeof(Oid);
        control.entrysize = sizeof(Plan);
        plans = hash_create("aegis audited tables", 64, &control, HASH_ELEM | HASH_BLOBS);
    }
    bool found;
    Plan *plan = static_cast<Plan *>(hash_search(plans, &oid, HASH_ENTER, &found));
    if (!found) {
        plan->valid = false;
        plan->memory = nullptr;
    }
    if (!plan->valid) {
        plan->stale = false;
        build(plan, relation, trigger);
        plan->valid = !plan->stale;  // an invalidation may have arrived while we read
    }
    return *(last = plan);
}

struct Row {
    const Datum *values;
    const bool *nulls;
    bool is_null(const Column &column) const { return nulls[column.number - 1]; }
    Datum value(const Column &column) const { return values[column.number - 1]; }
};

bool differs(const Column &column, const Row &old_row, const Row &new_row) {
    bool old_null = old_row.is_null(column), new_null = new_row.is_null(column);
    if (old_null || new_null) return old_null != new_null;
    return !datum_image_eq(old_row.value(column), new_row.value(column), column.by_value,
                           column.length);
}

struct Change {
    const Plan *plan;
    const char *operation;
    const Row *old_row;
    const Row *new_row;
    core::ByteView sealed;
    // What an image shows of each row that it has, chosen once: to compare two values takes longer
    // than to write them. How many of them are clear, and how many are not.
    bool shown[MaxHeapAttributeNumber];
    uint64_t clear_count, sealed_count;

    uint64_t count(bool clear) const { return clear ? clear_count : sealed_count; }
    uint64_t parts(bool clear) const {
        return count(clear) == 0 ? 0 : (old_row != nullptr) + (new_row != nullptr);
    }
};

// Of an update what differs: a column that became or was null stands as null on that side. Of one
// row everything that it has beside its key.
void choose(Change *change) {
    const Plan &plan = *change->plan;
    const Row *row = change->new_row != nullptr ? change->new_row : change->old_row;
    bool is_update = change->old_row != nullptr && change->new_row != nullptr;
    for (int i = 0; row != nullptr && i < plan.count; i++) {
        const Column &column = plan.columns[i];
        bool shown = is_update ? differs(column, *change->old_row, *change->new_row)
                               : !column.in_key && !row->is_null(column);
        change->shown[i] = shown;
        (column.clear ? change->clear_count : change->sealed_count) += shown;
    }
}

void write_row(core::CborWriter &writer, const Change &change, const Row &row, bool clear) {
    writer.map(change.count(clear));
    for (int i = 0; i < change.plan->count; i++) {
        const Column &column = change.plan->columns[i];
        if (!change.shown[i] || column.clear != clear) continue;
        writer.text(column.name);
        if (row.is_null(column))
            writer.null();
        else
            audit_value::write(writer, column.encoding, row.value(column));
    }
}

void write_rows(core::CborWriter &writer, const Change &change, bool clear) {
    if (change.count(clear) == 0) return;
    if (change.old_row != nullptr) {
        writer.unsigned_int(kOld);
        write_row(writer, change, *change.old_row, clear);
    }
    if (change.new_row != nullptr) {
        writer.unsigned_int(kNew);
        write_row(writer, change, *change.new_row, clear);
    }
}

void write_image(core::CborWriter &writer, const Change &change) {
    const Plan &plan = *change.plan;
    const Row *keyed = change.old_row != nullptr ? change.old_row : change.new_row;
    bool has_key = keyed != nullptr && plan.key_count > 0;
    writer.map(2 + has_key + change.parts(true) + (change.sealed.size > 0));
    writer.unsigned_int(kRelation);
    writer.text(plan.name);
    writer.unsigned_int(kOperation);
    writer.text(change.operation);
    if (has_key) {
        writer.unsigned_int(kPrimaryKey);
        writer.map(plan.key_count);
        for (int i = 0; i < plan.count; i++) {
            const Column &column = plan.columns[i];
            if (!column.in_key) continue;
            writer.text(column.name);
            audit_value::write(writer, column.encoding, keyed->value(column));
        }
    }
    write_rows(writer, change, true);
    if (change.sealed.size > 0) {
        writer.unsigned_int(kSealedRest);
        writer.bytes(change.sealed);
    }
}

void write_rest(core::CborWriter &writer, const Change &change) {
    writer.map(change.parts(false));
    write_rows(writer, change, false);
}

// Runs a writer over a small buffer first, over a fitting one when that overflowed.
core::ByteView encode(const Change &change, void (*write)(core::CborWriter &, const Change &),
                      core::ByteSpan small) {
    core::CborWriter writer{small};
    write(writer, change);
    if (!writer.overflowed()) return {small.data, writer.needed};
    if (writer.needed > MaxAllocSize / 4)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("row of table \"%s\" is too long for a ledger entry", change.plan->name)));
    core::ByteSpan large(static_cast<uint8_t *>(palloc(writer.needed)), writer.needed);
    core::CborWriter again{large};
    write(again, change);
    return large;
}

void record(const Plan &plan, const char *operation, const Row *old_row, const Row *new_row) {
    static const pg_uuid_t nil = {};
    const pg_uuid_t *tenant = nullptr;
    const Row *row = new_row != nullptr ? new_row : old_row;
    if (plan.tenant != 0 && row != nullptr && !row->nulls[plan.tenant - 1])
        tenant = DatumGetUUIDP(row->values[plan.tenant - 1]);
    const context::Context *context = context::current();
    if (tenant == nullptr && context != nullptr) tenant = &context->tenant;
    if (plan.withheld) tenant = &nil;

    uint8_t rest_buffer[1024], image_buffer[2048];
    Change change;
    change.plan = &plan;
    change.operation = operation;
    change.old_row = old_row;
    change.new_row = new_row;
    change.clear_count = change.sealed_count = 0;
    choose(&change);
    if (change.parts(false) > 0) {
        core::ByteView rest = encode(change, write_rest, core::ByteSpan(rest_buffer));
        size_t room = ledger::personal_room(rest.size);
        uint8_t *envelope = static_cast<uint8_t *>(palloc(room));
        size_t size =
            ledger::seal_personal(tenant != nullptr ? *tenant : nil, rest, {envelope, room});
        change.sealed = {envelope, size};
    }
    ledger::Event event = {};
    event.type = "row.changed";
    event.tenant = tenant;
    event.image = encode(change, write_image, core::ByteSpan(image_buffer));
    ledger::append(event);
}

// True when a job of our own sealed values of the row anew and did nothing else to it: the row says
// what it said, and a rotation of keys must not bury a tenant's history under entries.
bool is_only_resealed(const TriggerData *data, const Plan &plan, const Row &old_row,
                      const Row &new_row) {
    if (plan.tenant == 0 || new_row.nulls[plan.tenant - 1]) return false;
    const pg_uuid_t &tenant = *DatumGetUUIDP(new_row.values[plan.tenant - 1]);
    for (int i = 0; i < plan.count; i++) {
        const Column &column = plan.columns[i];
        if (!differs(column, old_row, new_row)) continue;
        field::Bond bond;
        if (column.encoding.form != audit_value::Form::envelope || old_row.is_null(column) ||
            new_row.is_null(column) ||
            !field::read_bond(data->tg_relation, column.number, data->tg_newtuple, &bond) ||
            !reseal::is_same_value(tenant, pg::varlena_view(old_row.value(column)),
                                   pg::varlena_view(new_row.value(column)), bond))
            return false;
    }
    return true;
}

Row row_of(TupleTableSlot *slot) {
    slot_getallattrs(slot);
    return {slot->tts_values, slot->tts_isnull};
}

TriggerData *trigger_data(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("not called as a trigger")));
    return reinterpret_cast<TriggerData *>(fcinfo->context);
}

}  // namespace

void define() {
    pg::on_relation_change(forget);
}

}  // namespace aegis::audit

AEGIS_FUNCTION(aegis_audit_row) {
    using namespace aegis::audit;
    TriggerData *data = trigger_data(fcinfo);
    if (!TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("aegis.audit_row must be fired after a row")));
    if (aegis::tenant_erase::is_under_way() || aegis::tenant_import::is_under_way())
        return PointerGetDatum(nullptr);
    const auto &plan = plan_of(data->tg_relation, data->tg_trigger);
    Row first = row_of(data->tg_trigslot);
    if (TRIGGER_FIRED_BY_INSERT(data->tg_event)) {
        record(plan, "I", nullptr, &first);
    } else if (TRIGGER_FIRED_BY_DELETE(data->tg_event)) {
        record(plan, "D", &first, nullptr);
    } else {
        Row second = row_of(data->tg_newslot);
        if (aegis::reseal::is_running() && is_only_resealed(data, plan, first, second))
            return PointerGetDatum(nullptr);
        record(plan, "U", &first, &second);
    }
    return PointerGetDatum(nullptr);
}

AEGIS_FUNCTION(aegis_audit_truncate) {
    using namespace aegis::audit;
    TriggerData *data = trigger_data(fcinfo);
    if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("aegis.audit_truncate must be fired by TRUNCATE")));
    record(plan_of(data->tg_relation, data->tg_trigger), "T", nullptr, nullptr);
    return PointerGetDatum(nullptr);
}

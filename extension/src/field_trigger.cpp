// SPDX-License-Identifier: Apache-2.0
// The BEFORE ROW trigger that seals. Which column belongs to which field, and what its values are
// bound to, it reads from the table's CHECK constraints.
#include "field.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "key_subject.hpp"
#include "pg/function.hpp"
#include "pg/trigger.hpp"

namespace aegis::field {

namespace {

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

// Whether the caller may read all of a field of this tenant: then no change of bytes tells more.
bool may_read(const pg_uuid_t &tenant, const Field &field) {
    const context::Context *context = context::current();
    return context != nullptr && memcmp(&context->tenant, &tenant, sizeof tenant) == 0 &&
           level(field) == Level::full;
}

// True when the old value may stay because it means the same. Only for those who may read the field
// anyway: for others, seeing whether the bytes change would tell whether a guess is right.
bool keeps(const pg_uuid_t &tenant, const Field &field, core::ByteView old_value,
           core::ByteView plaintext, const Bond &bond) {
    if (!may_read(tenant, field) || !sealed::is_envelope(old_value)) return false;
    core::EnvelopeParts parts = sealed::parse(old_value);
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    if (memcmp(parts.header.tenant_tag, tag, sizeof tag) != 0 ||
        parts.header.field != field.reference ||
        (parts.header.flags & (kBondFlags | core::kFlagTokenRemoved)) != flags_of(bond))
        return false;
    core::ByteSpan opened = open(tenant, field, old_value, bond);
    bool equal = core::equal_constant_time(opened, plaintext);
    sealed::discard(opened);
    return equal;
}

// A value that comes back from elsewhere must bring no older key into use again, and be found.
bool is_current(const pg_uuid_t &tenant, const Field &field, core::ByteView envelope) {
    uint32_t epoch = key::kCurrentEpoch;
    key::field_cipher(tenant, field.reference, &epoch);
    core::EnvelopeHeader header = sealed::parse(envelope).header;
    return header.epoch == epoch && (header.flags & core::kFlagTokenRemoved) == 0;
}

void require_thawed(const pg_uuid_t &tenant, const Field &field) {
    if (!field.type->kind->searchable() || !key_cache::search_is_frozen(tenant)) return;
    ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                    errmsg("field \"%s\" cannot be written while the search key of its tenant is "
                           "rotated",
                           field.name),
                    errhint("Try again when the job is done.")));
}

// One value of a row, and the one that it replaces.
struct Change {
    pg_uuid_t tenant;
    Datum value, old;
    bool has_old;  // of the same tenant
    Bond bond, old_bond;
    bool same_bond;
};

// A value of an erased person comes back, with a row that moves or that a file brings: nobody opens
// it, and nothing finds it.
bool is_dead(const Field &field, const Change &change) {
    core::EnvelopeHeader header = sealed::parse(pg::varlena_view(change.value)).header;
    uint8_t tag[core::kTenantTagBytes];
    if ((header.flags & core::kFlagSubject) == 0 ||
        (header.flags & (core::kFlagToken | core::kFlagTokenRemoved)) == core::kFlagToken)
        return false;
    sealed::tenant_tag(change.tenant, tag);
    return memcmp(header.tenant_tag, tag, sizeof tag) == 0 && header.field == field.reference &&
           (header.flags & kBondFlags) == flags_of(change.bond) &&
           key::subject_state(change.tenant, change.bond.subject) == key::SubjectState::destroyed;
}

// A value stays while the subject or the key of its row changes: it is opened as what it was, and
// sealed as what it is. Who may not read it must not give it to somebody else.
Datum move_value(const Field &field, const Change &change) {
    if (!may_read(change.tenant, field))
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_NOT_REVEALED),
                 errmsg("field \"%s\" is bound to what you change of its row", field.name),
                 errdetail("Its value would have to be sealed anew, and you may not read it."),
                 errhint("Write the value with the change, or leave the change to someone who may "
                         "reveal the field.")));
    core::ByteSpan plaintext =
        open(change.tenant, field, pg::varlena_view(change.old), change.old_bond);
    Datum result = PointerGetDatum(seal(change.tenant, field, plaintext, change.bond));
    sealed::discard(plaintext);
    return result;
}

// What is to be stored instead of the value; the same pointer when it can stay.
Datum sealed_value(const Field &field, const Change &change) {
    core::ByteView view = pg::varlena_view(change.value);
    bool is_envelope = sealed::is_envelope(view);
    // Keys may be restored after what they open.
    if (is_envelope && guc::restore_mode) return change.value;
    bool unchanged = change.has_old && same_bytes(pg::varlena_view(change.old), view);
    if (unchanged && change.same_bond) return change.value;
    if (is_envelope && !unchanged && is_dead(field, change)) return change.value;
    require_thawed(change.tenant, field);
    if (unchanged) return move_value(field, change);
    // An envelope from outside is opened once, so that nothing rests here that cannot be read.
    core::ByteSpan plaintext =
        is_envelope ? open(change.tenant, field, view, change.bond) : sealed::open_unsealed(view);
    Datum result = change.value;
    if (change.has_old && change.same_bond &&
        keeps(change.tenant, field, pg::varlena_view(change.old), plaintext, change.bond))
        result = change.old;
    else if (!is_envelope || !is_current(change.tenant, field, view))
        result = PointerGetDatum(seal(change.tenant, field, plaintext, change.bond));
    sealed::discard(plaintext);
    return result;
}

void read_change(TriggerData *trigger, const Column &column, const Field &field, HeapTuple tuple,
                 HeapTuple old_tuple, Change *change) {
    TupleDesc row = RelationGetDescr(trigger->tg_relation);
    bool is_null = false;
    Datum tenant = heap_getattr(tuple, column.tenant, row, &is_null);
    if (is_null)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NO_TENANT), errmsg("tenant is not set"),
                        errdetail("The row has no tenant to seal field \"%s\" for.", field.name)));
    change->tenant = *DatumGetUUIDP(tenant);
    change->has_old = false;
    change->same_bond = true;
    if (is_bound(column) && !read_bond(column, row, tuple, &change->bond)) {
        bool whose = column.subject != 0 && heap_attisnull(tuple, column.subject, row);
        ereport(
            ERROR,
            (errcode(ERRCODE_NOT_NULL_VIOLATION),
             whose ? errmsg("column \"%s\" is null in a row that has a value of field \"%s\"",
                            NameStr(TupleDescAttr(row, column.subject - 1)->attname), field.name)
                   : errmsg("a part of the key is null in a row that has a value of field "
                            "\"%s\"",
                            field.name),
             whose ? errdetail("It says whose data the value is.") : 0));
    }
    if (old_tuple == nullptr) return;
    change->old = heap_getattr(old_tuple, column.number, row, &is_null);
    if (is_null) return;
    tenant = heap_getattr(old_tuple, column.tenant, row, &is_null);
    if (is_null || memcmp(DatumGetUUIDP(tenant), &change->tenant, sizeof change->tenant) != 0)
        return;
    change->has_old = true;
    if (is_bound(column))
        change->same_bond = read_bond(column, row, old_tuple, &change->old_bond) &&
                            is_same_bond(change->bond, change->old_bond);
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
        bool is_null = false;
        if (column.is_twin) continue;  // it follows another column, whatever is written into it
        Change change;
        change.value = heap_getattr(tuple, column.number, row, &is_null);
        if (is_null) continue;
        const Field &field = field_of(relation, column);
        read_change(trigger, column, field, tuple, old_tuple, &change);
        Datum stored = sealed_value(field, change);
        if (stored != change.value) {
            numbers[changed] = column.number;
            values[changed++] = stored;
        }
    }
    return changed == 0 ? tuple
                        : heap_modify_tuple_by_cols(tuple, row, changed, numbers, values, nulls);
}

}  // namespace

}  // namespace aegis::field

AEGIS_FUNCTION(aegis_seal_row) {
    PG_RETURN_POINTER(aegis::field::seal_row(aegis::pg::before_write(fcinfo, "seal_row")));
}

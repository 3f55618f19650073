// SPDX-License-Identifier: Apache-2.0
// Refuses rows in which somebody wrote a card number: a BEFORE trigger that looks into columns of
// text, and into sealed ones before they are sealed.
#include "field.hpp"
#include "pg/function.hpp"
#include "pg/trigger.hpp"
#include "scrub.hpp"
#include "sealed.hpp"

namespace {

using namespace aegis;

// The column of that name; ERROR when the table has none, or one of a type without text.
AttrNumber column_of(Relation relation, const char *name) {
    AttrNumber number = get_attnum(RelationGetRelid(relation), name);
    if (number == InvalidAttrNumber)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of relation \"%s\" does not exist", name,
                               RelationGetRelationName(relation)),
                        errhint("The arguments of the trigger name its columns.")));
    return number;
}

bool has_card_data(Datum value, Oid type) {
    constexpr core::ScrubProfile profile = core::ScrubProfile::user_field;
    if (type == JSONBOID) return scrub::kinds_of(scrub::json_text(DatumGetJsonbP(value)), profile);
    core::ByteView bytes = pg::varlena_view(value);
    if (sealed::find_type(type) == nullptr) return scrub::kinds_of(bytes, profile) != 0;
    // What is sealed already was looked at when it was.
    if (sealed::is_envelope(bytes)) return false;
    core::ByteSpan plaintext = sealed::open_unsealed(bytes);
    bool found = scrub::kinds_of(plaintext, profile) != 0;
    sealed::discard(plaintext);
    return found;
}

bool holds_text(Oid type) {
    return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == JSONOID ||
           type == JSONBOID || sealed::find_type(type) != nullptr;
}

}  // namespace

AEGIS_FUNCTION(aegis_refuse_card_data) {
    TriggerData *trigger = pg::before_write(fcinfo, "refuse_card_data");
    Relation relation = trigger->tg_relation;
    TupleDesc row = RelationGetDescr(relation);
    HeapTuple tuple =
        TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
    if (trigger->tg_trigger->tgnargs == 0)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("trigger \"%s\" names no column", trigger->tg_trigger->tgname),
                        errhint("Name the columns as its arguments.")));
    for (int i = 0; i < trigger->tg_trigger->tgnargs; i++) {
        const char *name = trigger->tg_trigger->tgargs[i];
        AttrNumber number = column_of(relation, name);
        Oid type = getBaseType(TupleDescAttr(row, number - 1)->atttypid);
        if (!holds_text(type))
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("column \"%s\" holds no text", name)));
        bool is_null;
        Datum value = heap_getattr(tuple, number, row, &is_null);
        if (is_null || !has_card_data(value, type)) continue;
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_PAN_DETECTED), errmsg("field \"%s\" holds card data", name),
                 errhint(scrub::kRefusalHint), errtablecol(relation, number)));
    }
    PG_RETURN_POINTER(tuple);
}

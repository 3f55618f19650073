// SPDX-License-Identifier: Apache-2.0
// Keeps the rows of aegis.event_type in backend memory and lets applications add rows and write
// entries by the rules that the rows state.
#include "catalogue.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"

namespace aegis::catalogue {

namespace {

MemoryContext memory = nullptr;
HTAB *types = nullptr;
bool valid = false;
Oid source = InvalidOid;

void forget(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == source) valid = false;
}

bool is_class(const JsonbValue &value, const char *text) {
    return value.type == jbvString && static_cast<size_t>(value.val.string.len) == strlen(text) &&
           memcmp(value.val.string.val, text, value.val.string.len) == 0;
}

// {"amount": "clear required", "reason": "personal"}: checked when declared.
void read_fields(Jsonb *fields, EventType *type) {
    int count = static_cast<int>(JB_ROOT_COUNT(fields));
    DetailField *list = static_cast<DetailField *>(palloc0(sizeof(DetailField) * Max(count, 1)));
    JsonbIterator *iterator = JsonbIteratorInit(&fields->root);
    JsonbValue value;
    int at = 0;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY) {
            list[at].name = pnstrdup(value.val.string.val, value.val.string.len);
        } else if (token == WJB_VALUE) {
            list[at].personal = is_class(value, "personal") || is_class(value, "personal required");
            list[at].required =
                is_class(value, "clear required") || is_class(value, "personal required");
            at++;
        }
    }
    type->field_count = at;
    type->fields = list;
}

void load() {
    const ledger_tables::Oids &oids = ledger_tables::require();
    if (!OidIsValid(oids.event_type))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("the catalogue of event types does not exist")));
    source = oids.event_type;
    if (memory == nullptr)
        memory = AllocSetContextCreate(TopMemoryContext, "aegis event types", ALLOCSET_SMALL_SIZES);
    MemoryContextReset(memory);
    types = nullptr;
    MemoryContext caller = MemoryContextSwitchTo(memory);
    HASHCTL control = {};
    control.keysize = NAMEDATALEN;
    control.entrysize = sizeof(EventType);
    control.hcxt = memory;
    HTAB *table =
        hash_create("aegis event types", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

    valid = true;  // cleared by an invalidation that arrives while we read
    Relation relation = table_open(oids.event_type, AccessShareLock);
    TupleDesc shape = RelationGetDescr(relation);
    SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool no_name, no_writer, no_fields, no_withheld;
        Datum stored_name = heap_getattr(tuple, 1, shape, &no_name);
        Datum stored_writer = heap_getattr(tuple, 3, shape, &no_writer);
        Datum stored_fields = heap_getattr(tuple, 4, shape, &no_fields);
        Datum stored_withheld = heap_getattr(tuple, 6, shape, &no_withheld);
        // Whoever dropped a NOT NULL constraint gets an undeclared type, not an accident.
        if (no_name || no_writer || no_fields) continue;
        char *name = TextDatumGetCString(stored_name);
        char *writer = TextDatumGetCString(stored_writer);
        Jsonb *fields = DatumGetJsonbPCopy(stored_fields);
        EventType *type = static_cast<EventType *>(hash_search(table, name, HASH_ENTER, nullptr));
        type->writer = strcmp(writer, "sql") == 0 ? Writer::sql : Writer::c;
        type->withheld = !no_withheld && DatumGetBool(stored_withheld);
        read_fields(fields, type);
    }
    systable_endscan(scan);
    table_close(relation, AccessShareLock);
    MemoryContextSwitchTo(caller);
    types = table;
}

const DetailField *find_field(const EventType &type, core::ByteView name) {
    for (int i = 0; i < type.field_count; i++)
        if (strlen(type.fields[i].name) == name.size &&
            memcmp(type.fields[i].name, name.data, name.size) == 0)
            return &type.fields[i];
    return nullptr;
}

[[noreturn]] void refuse_detail(const EventType &type, core::ByteView name) {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_EVENT_UNDECLARED),
                    errmsg("event type \"%s\" has no detail \"%s\"", type.name,
                           pnstrdup(reinterpret_cast<const char *>(name.data), name.size))));
}

void require_details(const EventType &type, const bool *present) {
    for (int i = 0; i < type.field_count; i++)
        if (type.fields[i].required && !present[i])
            ereport(ERROR, (errcode(AEGIS_ERRCODE_EVENT_UNDECLARED),
                            errmsg("event type \"%s\" needs the detail \"%s\"", type.name,
                                   type.fields[i].name)));
}

}  // namespace

const EventType &require(const char *name) {
    static const EventType *last = nullptr;  // most entries are of the type of the one before
    if (types == nullptr || !valid) {
        last = nullptr;
        load();
    }
    if (last != nullptr && strcmp(last->name, name) == 0) return *last;
    const EventType *type =
        strlen(name) < NAMEDATALEN
            ? static_cast<EventType *>(hash_search(types, name, HASH_FIND, nullptr))
            : nullptr;
    if (type == nullptr)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_EVENT_UNDECLARED),
                        errmsg("event type \"%s\" is not declared", name),
                        errhint("Declare it with aegis.declare_event().")));
    return *(last = type);
}

const EventType &require_open(const char *name) {
    const EventType &type = require(name);
    if (type.writer != Writer::sql)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("event type \"%s\" is written by Aegis only", name)));
    return type;
}

#ifdef AEGIS_TESTING
void check_detail(const EventType &type, core::ByteView detail) {
    if (type.writer != Writer::c) return;
    bool *present = static_cast<bool *>(palloc0(sizeof(bool) * Max(type.field_count, 1)));
    core::ByteView undeclared = {};
    pg::raise(pg::run([&] {
        core::CborReader reader{detail};
        for (uint64_t left = detail.size > 0 ? reader.next().value : 0; left > 0; left--) {
            core::ByteView name = reader.next().body;
            if (const DetailField *field = find_field(type, name))
                present[field - type.fields] = true;
            else
                undeclared = name;
            reader.skip();
        }
    }));
    if (undeclared.size > 0) refuse_detail(type, undeclared);
    require_details(type, present);
    pfree(present);
}
#endif

int charge_reading(const ledger::Event &event) {
    if (!XactReadOnly || !context::has_own_clock()) return -1;
    const context::Context *context = context::current();
    charge::Order order = {};
    order.kind = charge::Kind::reading;
    order.event = event.type;
    if (event.tenant != nullptr)
        order.tenant = *event.tenant;
    else if (context != nullptr)
        order.tenant = context->tenant;
    if (context != nullptr) order.user = context->user;
    order.target_kind = event.target_kind;
    order.target = event.target_id;
    order.outcome = event.outcome;
    return charge::count_reading(order);
}

void define() {
    pg::on_relation_change(forget);
}

}  // namespace aegis::catalogue

namespace {

using aegis::catalogue::DetailField;
using aegis::catalogue::EventType;
namespace core = aegis::core;
namespace pg = aegis::pg;

// Only Aegis itself speaks in these families.
const char *const kReserved[] = {
    "access.",   "audit.",    "auth.",   "control.", "ddl.",    "destination.", "event.",
    "field.",    "grant.",    "issuer.", "job.",     "key.",    "ledger.",      "mail.",
    "operator.", "outbound.", "pii.",    "role.",    "route.",  "row.",         "schema.",
    "service.",  "setting.",  "status.", "subject.", "system.", "table.",       "team.",
    "tenant.",   "upstream.", "user."};
// Those that the reference application writes in as well: open to the scripts of extensions alone.
const char *const kShared[] = {"pci.", "webhook."};

void write_scalar(core::CborWriter &writer, const JsonbValue &value) {
    switch (value.type) {
        case jbvString:
            writer.text({value.val.string.val, static_cast<size_t>(value.val.string.len)});
            break;
        case jbvBool:
            writer.boolean(value.val.boolean);
            break;
        case jbvNumeric: {
            // Whole numbers stay numbers; others keep every digit as text.
            Datum number = NumericGetDatum(value.val.numeric);
            char *text = DatumGetCString(DirectFunctionCall1(numeric_out, number));
            if (strspn(text, "-0123456789") == strlen(text) && strlen(text) <= 18)
                writer.signed_int(strtoll(text, nullptr, 10));
            else
                writer.text(text);
            break;
        }
        default:
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("details of an event must be strings, numbers or booleans")));
    }
}

// Encodes the details; jsonb keeps keys in the order that canonical CBOR wants: shorter first, then
// bytewise. Nulls are left out.
core::ByteView encode(const EventType &type, Jsonb *detail, const pg_uuid_t &tenant) {
    if (!JB_ROOT_IS_OBJECT(detail))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("details of an event must be a JSON object")));
    // Room for every value as it is, its head, and the envelope around it.
    size_t room = VARSIZE(detail) * 2 + JB_ROOT_COUNT(detail) * 128 + 64;
    uint8_t *buffer = static_cast<uint8_t *>(palloc(room));
    uint8_t *scratch = static_cast<uint8_t *>(palloc(room));
    uint64_t present = 0;
    bool *seen = static_cast<bool *>(palloc0(sizeof(bool) * Max(type.field_count, 1)));
    for (int pass = 0; pass < 2; pass++) {
        core::CborWriter writer{core::ByteSpan(buffer, room)};
        writer.map(present);
        JsonbIterator *iterator = JsonbIteratorInit(&detail->root);
        JsonbValue item;
        const DetailField *field = nullptr;
        JsonbIteratorToken token;
        while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE) {
            if (token == WJB_KEY) {
                core::ByteView name{reinterpret_cast<const uint8_t *>(item.val.string.val),
                                    static_cast<size_t>(item.val.string.len)};
                field = aegis::catalogue::find_field(type, name);
                if (field == nullptr) aegis::catalogue::refuse_detail(type, name);
            } else if (token == WJB_VALUE && item.type != jbvNull) {
                if (pass == 0) {
                    present++;
                    seen[field - type.fields] = true;
                    continue;
                }
                writer.text(field->name);
                if (!field->personal) {
                    write_scalar(writer, item);
                    continue;
                }
                core::CborWriter plain{core::ByteSpan(scratch, room)};
                write_scalar(plain, item);
                size_t envelope_room = aegis::ledger::personal_room(plain.needed);
                uint8_t *envelope = static_cast<uint8_t *>(palloc(envelope_room));
                size_t size = aegis::ledger::seal_personal(tenant, {scratch, plain.needed},
                                                           {envelope, envelope_room});
                writer.bytes({envelope, size});
            }
        }
        if (pass == 0) {
            aegis::catalogue::require_details(type, seen);
            if (present == 0) return {};
        } else if (writer.overflowed()) {
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("details of a ledger entry do not fit")));
        } else {
            return {buffer, writer.needed};
        }
    }
    return {};
}

core::Outcome outcome_of(const char *text) {
    if (strcmp(text, "success") == 0) return core::Outcome::success;
    if (strcmp(text, "failure") == 0) return core::Outcome::failure;
    if (strcmp(text, "denied") == 0) return core::Outcome::denied;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown outcome \"%s\"", text),
             errhint("Outcomes are success, failure and denied.")));
}

template <size_t N>
bool is_in(const char *name, const char *const (&families)[N]) {
    for (const char *prefix : families)
        if (strncmp(name, prefix, strlen(prefix)) == 0) return true;
    return false;
}

void refuse_name(const char *name) {
    ereport(ERROR,
            (errcode(ERRCODE_RESERVED_NAME), errmsg("event type \"%s\" belongs to Aegis", name),
             errhint("Choose another word before the full stop.")));
}

void check_declaration(Jsonb *fields) {
    bool valid = JB_ROOT_IS_OBJECT(fields);
    JsonbIterator *iterator = JsonbIteratorInit(&fields->root);
    JsonbValue value;
    JsonbIteratorToken token;
    while (valid && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
        if (token == WJB_VALUE)
            valid = aegis::catalogue::is_class(value, "clear") ||
                    aegis::catalogue::is_class(value, "clear required") ||
                    aegis::catalogue::is_class(value, "personal") ||
                    aegis::catalogue::is_class(value, "personal required");
    if (!valid)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid description of details"),
                 errhint("Give every detail one of \"clear\", \"clear required\", \"personal\" and "
                         "\"personal required\".")));
}

const char *text_argument(FunctionCallInfo fcinfo, int number) {
    return PG_ARGISNULL(number) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

}  // namespace

AEGIS_FUNCTION(aegis_record) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("event, outcome and detail must not be null")));
    const char *name = text_argument(fcinfo, 0);
    // A copy: key look-ups may reload the cache.
    EventType type = aegis::catalogue::require_open(name);
    const aegis::context::Context *context = aegis::context::current();
    static const pg_uuid_t nil = {};

    aegis::ledger::Event event = {};
    event.type = name;
    event.target_kind = text_argument(fcinfo, 1);
    event.target_id = text_argument(fcinfo, 2);
    event.outcome = outcome_of(text_argument(fcinfo, 3));
    bool of_tenant = context != nullptr && !type.withheld;
    event.detail = encode(type, PG_GETARG_JSONB_P(4), of_tenant ? context->tenant : nil);
    if (type.withheld) event.tenant = &nil;
    int slot = aegis::catalogue::charge_reading(event);
    aegis::ledger::append(event);
    if (slot >= 0) aegis::charge::settle(slot);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_declare_event) {
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    if (is_in(name, kReserved)) refuse_name(name);
    check_declaration(PG_GETARG_JSONB_P(2));
    Oid types[5] = {TEXTOID, TEXTOID, JSONBOID, BOOLOID, BOOLOID};
    Datum values[5] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2),
                       BoolGetDatum(creating_extension), PG_GETARG_DATUM(3)};
    bool is_new = false, is_same = false;
    aegis::ledger_tables::own_change([&] {
        if (SPI_connect() != SPI_OK_CONNECT)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
        if (SPI_execute_with_args(
                "INSERT INTO aegis.event_type (name, description, writer, fields, by_extension, "
                "withheld) VALUES ($1, $2, 'sql', $3, $4, $5) ON CONFLICT DO NOTHING",
                5, types, values, nullptr, false, 0) != SPI_OK_INSERT)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("could not declare event type \"%s\"", name)));
        is_new = SPI_processed == 1;
        // An application that is installed again says the same again.
        SPI_execute_with_args(
            "SELECT FROM aegis.event_type WHERE name = $1 AND writer = 'sql' AND fields = $3"
            " AND withheld = $5 AND ($2, $4) IS NOT NULL",
            5, types, values, nullptr, false, 0);
        is_same = SPI_processed == 1;
        SPI_finish();
    });
    // What is there already may be said again by everybody.
    if ((is_new || !is_same) && !creating_extension && is_in(name, kShared)) refuse_name(name);
    if (!is_same)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT),
                 errmsg("event type \"%s\" is already declared with other details", name),
                 errhint("Entries of the old form exist; declare the new form under a new name.")));
    if (!is_new) PG_RETURN_VOID();
    CacheInvalidateRelcacheByRelid(aegis::ledger_tables::require().event_type);
    CommandCounterIncrement();

    aegis::ledger::Event event = {};
    event.type = "event.declared";
    event.target_kind = "event_type";
    event.target_id = name;
    aegis::ledger::append(event);
    PG_RETURN_VOID();
}

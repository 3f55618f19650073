// SPDX-License-Identifier: Apache-2.0
// Opens what is sealed and says what does not open, past row security and without letting a value
// out: rows are named by their keys. No code of the database runs. aegis.verify_fields() opens all
// of a table, aegis.verify_keys() one value of each field under each key.
#include "field.hpp"

#include "key.hpp"
#include "key_subject.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "audit_value.hpp"
#include "verify_progress.hpp"

namespace aegis::field {

namespace {

constexpr int64 kMostListed = 1000;    // findings of one call that name a row
constexpr int64 kProgressRows = 1024;  // a power of two

struct GroupKey {  // without padding: hashed as bytes
    pg_uuid_t tenant;
    uint32 epoch;
    int32 column;  // number of the attribute
};

struct Group {
    GroupKey key;
    int64 opened, tokens, failed;
    int64 erased;       // whose data subject's key was destroyed
    const char *fault;  // why the key cannot be used; nullptr when it can
};

struct Verification {
    ReturnSetInfo *result;
    bool sample;  // one value of each group, and no findings but of groups
    HTAB *groups;
    MemoryContext memory;
    int64 rows, findings;
    Relation table;
};

void put(const Verification &v, const Datum *values, const bool *nulls) {
    tuplestore_putvalues(v.result->setResult, v.result->setDesc, const_cast<Datum *>(values),
                         const_cast<bool *>(nulls));
}

// "id = 7": what is no person's by its type, of the primary key.
const char *row_name(Relation table, TupleTableSlot *slot) {
    Bitmapset *key = RelationGetIndexAttrBitmap(table, INDEX_ATTR_BITMAP_PRIMARY_KEY);
    StringInfoData name;
    initStringInfo(&name);
    TupleDesc shape = RelationGetDescr(table);
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (!bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, key) ||
            strcmp(NameStr(attribute->attname), "tenant_id") == 0)
            continue;
        bool null;
        Datum value = slot_getattr(slot, attribute->attnum, &null);
        const char *text = "...";
        if (audit_value::encoding_of(attribute->atttypid).is_public) {
            Oid output;
            bool varlena;
            getTypeOutputInfo(attribute->atttypid, &output, &varlena);
            text = OidOutputFunctionCall(output, value);
        }
        appendStringInfo(&name, "%s%s = %s", name.len > 0 ? ", " : "", NameStr(attribute->attname),
                         text);
    }
    if (name.len == 0)
        appendStringInfo(&name, "ctid = (%u,%u)", ItemPointerGetBlockNumber(&slot->tts_tid),
                         ItemPointerGetOffsetNumber(&slot->tts_tid));
    return name.data;
}

void put_finding(Verification *v, TupleTableSlot *slot, AttrNumber column, const pg_uuid_t *tenant,
                 const uint32 *epoch, const char *what) {
    v->findings++;
    if (v->sample || v->findings > kMostListed) return;
    pg_uuid_t id = tenant != nullptr ? *tenant : pg_uuid_t{};
    Datum values[] = {ObjectIdGetDatum(RelationGetRelid(v->table)),
                      CStringGetTextDatum(
                          NameStr(TupleDescAttr(RelationGetDescr(v->table), column - 1)->attname)),
                      UUIDPGetDatum(&id),
                      Int32GetDatum(epoch != nullptr ? static_cast<int32>(*epoch) : 0),
                      CStringGetTextDatum("finding"),
                      Int64GetDatum(1),
                      CStringGetTextDatum(psprintf("row %s: %s", row_name(v->table, slot), what))};
    bool nulls[] = {false, false, tenant == nullptr, epoch == nullptr, false, false, false};
    put(*v, values, nulls);
}

// Once for each group: a key that cannot be used is an error where it is asked for.
const char *key_fault(const pg_uuid_t &tenant, const Field &field, uint32 epoch) {
    auto use = [&] {
        uint32_t wanted = epoch;
        key::field_cipher(tenant, field.reference, &wanted);
        uint8_t token[core::kTokenBytes];
        if (field.type->kind->searchable())
            key::search_token(tenant, field.type->reference, {}, token);
    };
    const ErrorData *error = pg::try_in_subtransaction(use);
    return error != nullptr ? error->message : nullptr;
}

Group *group_of(Verification *v, const pg_uuid_t &tenant, const Field &field, uint32 epoch,
                AttrNumber column) {
    GroupKey key = {tenant, epoch, column};
    bool found;
    Group *group = static_cast<Group *>(hash_search(v->groups, &key, HASH_FIND, &found));
    if (found) return group;
    MemoryContext caller = MemoryContextSwitchTo(v->memory);
    const char *fault = key_fault(tenant, field, epoch);
    MemoryContextSwitchTo(caller);
    group = static_cast<Group *>(hash_search(v->groups, &key, HASH_ENTER, &found));
    group->opened = group->tokens = group->failed = group->erased = 0;
    group->fault = fault;
    return group;
}

// What is wrong with a value; nullptr when it opens and is found under its own token.
const char *judge(const pg_uuid_t &tenant, const Field &field, const core::EnvelopeParts &parts,
                  const Bond &bond, bool *has_token) {
    if ((parts.header.flags & kBondFlags) != flags_of(bond))
        return "the value is not bound to its data subject or row as its column is";
    if (bond.subject.size != 0 &&
        key::subject_state(tenant, bond.subject) == key::SubjectState::none)
        return "the data subject has no key: its row of aegis.subject_key is gone, or the value "
               "was "
               "moved here";
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = cipher_for(tenant, field.reference, bond, &epoch, false);
    size_t size = core::envelope_plaintext_size(parts);
    core::ByteSpan plaintext{static_cast<uint8_t *>(palloc(size + 1)), size};
    core::Binding binding = binding_of(tenant, bond);
    const char *wrong = nullptr;
    if (pg::run([&] { core::open_envelope(*cipher, parts, binding, plaintext); }).failed)
        wrong = "the value cannot be opened: it was changed, or moved here";
    *has_token = wrong == nullptr && field.type->kind->searchable();
    if (*has_token) {
        uint8_t token[core::kTokenBytes];
        sealed::token_of_plaintext(tenant, *field.type, plaintext, token);
        if (parts.token.size != sizeof token || !core::equal_constant_time(token, parts.token))
            wrong = "the search token is that of another value";
    }
    sealed::discard(plaintext);
    return wrong;
}

bool read_slot_bond(Relation table, AttrNumber column, TupleTableSlot *slot, Bond *bond) {
    if (bound_column(table, column) == nullptr) return true;
    bool copied;
    HeapTuple row = ExecFetchSlotHeapTuple(slot, false, &copied);  // of a heap: its own
    return read_bond(table, column, row, bond);
}

void verify_value(Verification *v, TupleTableSlot *slot, AttrNumber column, const pg_uuid_t *tenant,
                  Datum value) {
    core::ByteView bytes = pg::varlena_view(value);
    core::EnvelopeParts parts{};
    if (pg::run([&] { parts = core::parse_envelope(bytes); }).failed) {
        put_finding(v, slot, column, tenant, nullptr, "the value is not sealed, or malformed");
        return;
    }
    uint8_t tag[core::kTenantTagBytes] = {};
    if (tenant != nullptr) sealed::tenant_tag(*tenant, tag);
    const Field *field = find(parts.header.field);
    if (tenant == nullptr || memcmp(tag, parts.header.tenant_tag, sizeof tag) != 0 ||
        field == nullptr || field->type->kind->plaintext != parts.header.type) {
        put_finding(v, slot, column, tenant, &parts.header.epoch,
                    "the value belongs to another tenant, or to no field");
        return;
    }
    Group *group = group_of(v, *tenant, *field, parts.header.epoch, column);
    if (v->sample && group->opened + group->failed > 0) return;
    const char *wrong = nullptr;
    bool has_token = false;
    Bond bond;
    bool erased = false;
    if (group->fault == nullptr && !read_slot_bond(v->table, column, slot, &bond)) {
        wrong = "the row does not say to what the value is bound";
    } else if (group->fault == nullptr) {
        erased = bond.subject.size != 0 &&
                 key::subject_state(*tenant, bond.subject) == key::SubjectState::destroyed;
        if (!erased) wrong = judge(*tenant, *field, parts, bond, &has_token);
    }
    if (erased) {
        group->erased++;
        return;
    }
    if (wrong != nullptr) put_finding(v, slot, column, tenant, &parts.header.epoch, wrong);
    if (wrong == nullptr && group->fault == nullptr) {
        group->opened++;
        group->tokens += has_token;
    } else {
        group->failed++;
    }
}

void scan(Verification *v) {
    TupleDesc shape = RelationGetDescr(v->table);
    AttrNumber tenant_column = get_attnum(RelationGetRelid(v->table), "tenant_id");
    AttrNumber *columns = static_cast<AttrNumber *>(palloc(sizeof(AttrNumber) * shape->natts));
    int count = 0;
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (!attribute->attisdropped && sealed::find_type(attribute->atttypid) != nullptr)
            columns[count++] = attribute->attnum;
    }
    if (count == 0 || tenant_column == InvalidAttrNumber) return;

    TupleTableSlot *slot = table_slot_create(v->table, nullptr);
    TableScanDesc scan = table_beginscan(v->table, GetActiveSnapshot(), 0, nullptr);
    MemoryContext row_memory =
        AllocSetContextCreate(CurrentMemoryContext, "aegis verified row", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(row_memory);
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        bool null;
        Datum tenant = slot_getattr(slot, tenant_column, &null);
        pg_uuid_t id = null ? pg_uuid_t{} : *DatumGetUUIDP(tenant);
        const pg_uuid_t *owner = null ? nullptr : &id;
        for (int i = 0; i < count; i++) {
            Datum value = slot_getattr(slot, columns[i], &null);
            if (!null) verify_value(v, slot, columns[i], owner, value);
        }
        if (++v->rows % kProgressRows == 0) verify_progress::advance(v->rows);
        MemoryContextReset(row_memory);
        CHECK_FOR_INTERRUPTS();
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(row_memory);
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
}

void put_erased(const Verification &v, const Group &group, const char *column) {
    Datum values[] = {ObjectIdGetDatum(RelationGetRelid(v.table)),
                      CStringGetTextDatum(column),
                      UUIDPGetDatum(&group.key.tenant),
                      Int32GetDatum(static_cast<int32>(group.key.epoch)),
                      CStringGetTextDatum("ok"),
                      Int64GetDatum(group.erased),
                      CStringGetTextDatum("values of erased data subjects, which nobody opens")};
    bool nulls[7] = {};
    put(v, values, nulls);
}

void put_groups(const Verification &v) {
    HASH_SEQ_STATUS each;
    hash_seq_init(&each, v.groups);
    while (Group *group = static_cast<Group *>(hash_seq_search(&each))) {
        Datum id = UUIDPGetDatum(&group->key.tenant);
        Datum epoch = Int32GetDatum(static_cast<int32>(group->key.epoch));
        if (v.sample) {
            Datum values[] = {id,
                              epoch,
                              Int64GetDatum(group->opened),
                              Int64GetDatum(group->tokens),
                              Int64GetDatum(group->failed),
                              group->fault != nullptr ? CStringGetTextDatum(group->fault) : 0};
            bool nulls[] = {false, false, false, false, false, group->fault == nullptr};
            put(v, values, nulls);
            continue;
        }
        Form_pg_attribute attribute =
            TupleDescAttr(RelationGetDescr(v.table), group->key.column - 1);
        bool fault = group->fault != nullptr;
        if (group->erased > 0) put_erased(v, *group, NameStr(attribute->attname));
        if (!fault && group->opened == 0) continue;  // its rows are listed
        Datum values[] = {ObjectIdGetDatum(RelationGetRelid(v.table)),
                          CStringGetTextDatum(NameStr(attribute->attname)),
                          id,
                          epoch,
                          CStringGetTextDatum(fault ? "finding" : "ok"),
                          Int64GetDatum(fault ? group->failed : group->opened),
                          CStringGetTextDatum(fault ? group->fault : "values open")};
        bool nulls[7] = {};
        put(v, values, nulls);
    }
}

void verify_table(Verification *v, Oid relation) {
    v->table = try_relation_open(relation, AccessShareLock);
    if (v->table == nullptr) return;
    if (v->table->rd_rel->relkind == RELKIND_RELATION) {
        HASHCTL control{};
        control.keysize = sizeof(GroupKey);
        control.entrysize = sizeof(Group);
        control.hcxt = v->memory;
        v->groups =
            hash_create("aegis verified keys", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
        scan(v);
        put_groups(*v);
        hash_destroy(v->groups);
    }
    relation_close(v->table, NoLock);
}

int64 expected_rows(List *tables) {
    double rows = 0;
    ListCell *cell;
    foreach (cell, tables) {
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));
        if (!HeapTupleIsValid(tuple)) continue;
        rows += Max(reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->reltuples, 0);
        ReleaseSysCache(tuple);
    }
    return static_cast<int64>(rows);
}

void verify_tables(Verification *v, List *tables) {
    verify_progress::begin(nullptr, expected_rows(tables));
    verify_progress::enter(verify_progress::kFields);
    ListCell *cell;
    foreach (cell, tables) verify_table(v, lfirst_oid(cell));
    verify_progress::end();
}

Verification begin_verification(FunctionCallInfo fcinfo, bool sample) {
    InitMaterializedSRF(fcinfo, 0);
    Verification v{};
    v.result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    v.sample = sample;
    v.memory = AllocSetContextCreate(CurrentMemoryContext, "aegis verification of fields",
                                     ALLOCSET_DEFAULT_SIZES);
    return v;
}

}  // namespace

List *tables() {
    static pg::Statement list = {
        "SELECT DISTINCT f.relation::pg_catalog.oid FROM aegis.field f JOIN pg_catalog.pg_class c "
        "ON c.oid OPERATOR(pg_catalog.=) f.relation ORDER BY 1",
        0,
        {},
        nullptr};
    uint64 fields = pg::read(list, nullptr);
    List *found = NIL;
    for (uint64 i = 0; i < fields; i++) {
        bool null;
        Oid oid = DatumGetObjectId(pg::column(i, 1, &null));
        found = list_concat_unique_oid(found, find_all_inheritors(oid, NoLock, nullptr));
    }
    return found;
}

}  // namespace aegis::field

using namespace aegis;

AEGIS_FUNCTION(aegis_verify_fields) {
    Oid relation = PG_GETARG_OID(0);
    // A regclass is any number; find_all_inheritors would say that the cache has no such entry.
    if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relation)));
    field::Verification v = field::begin_verification(fcinfo, false);
    field::verify_tables(&v, find_all_inheritors(relation, NoLock, nullptr));
    if (v.findings > field::kMostListed) {
        Datum values[] = {ObjectIdGetDatum(relation),
                          0,
                          0,
                          0,
                          CStringGetTextDatum("finding"),
                          Int64GetDatum(v.findings - field::kMostListed),
                          CStringGetTextDatum("more rows, which are not listed")};
        bool nulls[] = {false, true, true, true, false, false, false};
        field::put(v, values, nulls);
    }
    return static_cast<Datum>(0);
}

// One value of each field under each key, from every table: (tenant, epoch, opened, tokens, failed,
// fault of the key).
AEGIS_FUNCTION(aegis_verify_samples) {
    field::Verification v = field::begin_verification(fcinfo, true);
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    List *found = field::tables();  // in the memory of SPI, to which every statement returns
    MemoryContext spi = MemoryContextSwitchTo(caller);
    List *tables = list_copy(found);
    MemoryContextSwitchTo(spi);
    pg::leave(before);
    field::verify_tables(&v, tables);
    return static_cast<Datum>(0);
}

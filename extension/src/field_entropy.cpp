// SPDX-License-Identifier: Apache-2.0
// The measure is how often two values of one tenant are equal. Of unique values it is never, of n
// that are equally frequent in one of n cases, and a sample of any size estimates the same number,
// which the share of different values in a sample is not.
#include "core/normalise.hpp"
#include "field_entropy.hpp"
#include "field_twin.hpp"

#include "pg/function.hpp"
#include "role.hpp"

namespace aegis::field::entropy {

namespace {

// A column counts as one of few values when it behaves as if it had less than so many, all equally
// frequent: two of a tenant are equal in more than one of so many cases.
constexpr int kLeastValues = 100;
// Below the pairs that a hundred rows of one tenant make, chance could decide.
constexpr double kLeastPairs = 100 * 99 / 2;
// Pages looked at, spread over the table; of every partition one at least.
constexpr int kPages = 300;

struct Value {
    pg_uuid_t tenant;
    uint64 digest[2];  // of what is the same for search; or the token
};

struct Counted {
    Value value;  // hash key
    int64 times;
};

struct Tenant {
    pg_uuid_t id;  // hash key
    int64 values;
};

struct Count {
    HTAB *values, *tenants;
    int64 total;
};

struct Look {
    const sealed::Type *type;
    AttrNumber number, tenant;
    Oid plain;    // base type of the column
    bool sealed;  // the column has its sealed type already
    FmgrInfo output;
};

void digest_bytes(core::ByteView bytes, uint64 digest[2]) {
    for (int i = 0; i < 2; i++)
        digest[i] = hash_bytes_extended(bytes.data, static_cast<int>(bytes.size), i + 1);
}

// What counts as the same value; as it stands when it is not well formed or too long, which sealing
// refuses.
void digest_plain(const Look &look, Datum value, uint64 digest[2]) {
    core::ByteView plain;
    if (has_plaintext(*look.type, look.plain)) {
        plain = plaintext_of(*look.type, value, look.plain);
    } else {
        FmgrInfo output = look.output;
        char *text = OutputFunctionCall(&output, value);
        plain = {reinterpret_cast<const uint8_t *>(text), strlen(text)};
    }
    if (plain.size > sealed::kMaxSearchableBytes) return digest_bytes(plain, digest);
    core::Normaliser how = look.type->kind->normaliser;
    core::ByteSpan normal;
    normal.size = core::normalised_capacity(how, plain.size);
    normal.data = static_cast<uint8_t *>(palloc(normal.size + 1));
    size_t size = 0;
    bool failed = pg::run([&] { size = core::normalise(how, plain, normal); }).failed;
    digest_bytes(failed ? plain : core::ByteView{normal.data, size}, digest);
    sealed::discard(normal);
}

// False for what has no token: values of erased persons, and what is no envelope, which is not for
// a report of coverage to fail at.
bool digest_sealed(Datum value, uint64 digest[2]) {
    core::ByteView envelope = pg::varlena_view(value);
    core::EnvelopeParts parts{};
    if (pg::run([&] { parts = core::parse_envelope(envelope); }).failed ||
        (parts.header.flags & core::kFlagTokenRemoved) != 0 ||
        parts.token.size != core::kTokenBytes)
        return false;
    memcpy(digest, parts.token.data, sizeof(uint64) * 2);
    return true;
}

void count_value(Count *count, const Value &value) {
    bool found = false;
    Counted *counted =
        static_cast<Counted *>(hash_search(count->values, &value, HASH_ENTER, &found));
    counted->times = found ? counted->times + 1 : 1;
    Tenant *tenant =
        static_cast<Tenant *>(hash_search(count->tenants, &value.tenant, HASH_ENTER, &found));
    tenant->values = found ? tenant->values + 1 : 1;
    count->total++;
}

bool find_columns(Relation relation, const char *column, const sealed::Type &type, Look *look) {
    Oid oid = RelationGetRelid(relation);
    look->type = &type;
    look->number = get_attnum(oid, column);
    look->tenant = get_attnum(oid, "tenant_id");
    if (look->number <= 0 || look->tenant <= 0 || get_atttype(oid, look->tenant) != UUIDOID)
        return false;
    Oid stored = get_atttype(oid, look->number), output;
    bool is_varlena = false;
    look->sealed = sealed::find_type(stored) != nullptr;
    look->plain = getBaseType(stored);
    getTypeOutputInfo(look->plain, &output, &is_varlena);
    fmgr_info(output, &look->output);
    return true;
}

void count_pages(Relation relation, const Look &look, int pages, Count *count) {
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    MemoryContext each_row =
        AllocSetContextCreate(CurrentMemoryContext, "aegis few values", ALLOCSET_DEFAULT_SIZES);
    BlockSamplerData blocks;
    BlockSampler_Init(&blocks, RelationGetNumberOfBlocks(relation), pages,
                      pg_prng_uint32(&pg_global_prng_state));
    TableScanDesc scan = nullptr;
    while (BlockSampler_HasMore(&blocks)) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BlockSampler_Next(&blocks);
        ItemPointerData first, last;
        ItemPointerSet(&first, block, 1);
        ItemPointerSet(&last, block, MaxOffsetNumber);
        if (scan == nullptr)
            scan = table_beginscan_tidrange(relation, GetActiveSnapshot(), &first, &last);
        else
            table_rescan_tidrange(scan, &first, &last);
        while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot)) {
            bool is_null = false, tenant_null = false;
            Datum datum = slot_getattr(slot, look.number, &is_null);
            Datum tenant = slot_getattr(slot, look.tenant, &tenant_null);
            if (is_null || tenant_null) continue;
            Value value{};
            value.tenant = *DatumGetUUIDP(tenant);
            MemoryContext caller = MemoryContextSwitchTo(each_row);
            bool counts = true;
            if (look.sealed)
                counts = digest_sealed(datum, value.digest);
            else
                digest_plain(look, datum, value.digest);
            MemoryContextSwitchTo(caller);
            MemoryContextReset(each_row);
            if (counts) count_value(count, value);
        }
    }
    if (scan != nullptr) table_endscan(scan);
    MemoryContextDelete(each_row);
    ExecDropSingleTupleTableSlot(slot);
}

HTAB *make_table(const char *name, Size key, Size entry) {
    HASHCTL control{};
    control.keysize = key;
    control.entrysize = entry;
    control.hcxt = CurrentMemoryContext;
    return hash_create(name, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

const char *judge(const Count &count) {
    double pairs = 0, equal = 0;
    HASH_SEQ_STATUS each;
    hash_seq_init(&each, count.tenants);
    while (Tenant *tenant = static_cast<Tenant *>(hash_seq_search(&each)))
        pairs += static_cast<double>(tenant->values) * (tenant->values - 1) / 2;
    hash_seq_init(&each, count.values);
    while (Counted *counted = static_cast<Counted *>(hash_seq_search(&each)))
        equal += static_cast<double>(counted->times) * (counted->times - 1) / 2;
    long tenants = hash_get_num_entries(count.tenants);
    if (pairs < kLeastPairs || equal * kLeastValues <= pairs) return nullptr;
    return psprintf(
        "Of " INT64_FORMAT
        " values looked at, of %ld tenants, %.1f are different in each on "
        "average; two of one tenant are equal in %.1f of 100 cases, which is more than 1.",
        count.total, tenants, static_cast<double>(hash_get_num_entries(count.values)) / tenants,
        100 * equal / pairs);
}

Relation open_table(Oid table, bool wait) {
    if (wait) return try_relation_open(table, AccessShareLock);
    if (!ConditionalLockRelationOid(table, AccessShareLock)) return nullptr;
    Relation relation = try_relation_open(table, NoLock);
    if (relation == nullptr) UnlockRelationOid(table, AccessShareLock);
    return relation;
}

bool can_be_read(Relation relation) {
    return relation->rd_rel->relkind == RELKIND_RELATION &&
           relation->rd_tableam->scan_getnextslot_tidrange != nullptr;
}

}  // namespace

const char *reason(Oid table, const char *column, const sealed::Type &type, bool wait) {
    if (!type.kind->searchable()) return nullptr;
    Relation top = open_table(table, wait);
    if (top == nullptr) return nullptr;
    AttrNumber number = get_attnum(table, column);
    int listed = number > 0 ? listed_values(top, number) : 0;
    relation_close(top, AccessShareLock);
    if (listed > 0 && listed < kLeastValues)
        return psprintf("A CHECK leaves it %d values, which is less than %d.", listed,
                        kLeastValues);

    List *relations = NIL;
    int64 pages = 0;
    ListCell *cell;
    foreach (cell, find_all_inheritors(table, NoLock, nullptr)) {
        Relation relation = open_table(lfirst_oid(cell), wait);
        if (relation == nullptr) continue;
        if (can_be_read(relation)) {
            relations = lappend(relations, relation);
            pages += RelationGetNumberOfBlocks(relation);
        } else {
            relation_close(relation, AccessShareLock);
        }
    }
    Count count{make_table("aegis few values", sizeof(Value), sizeof(Counted)),
                make_table("aegis tenants of values", sizeof(pg_uuid_t), sizeof(Tenant)), 0};
    foreach (cell, relations) {
        Relation relation = static_cast<Relation>(lfirst(cell));
        int64 own = RelationGetNumberOfBlocks(relation);
        Look look{};
        if (own > 0 && find_columns(relation, column, type, &look))
            count_pages(relation, look, static_cast<int>(Max(1, own * kPages / Max(pages, 1))),
                        &count);
        relation_close(relation, AccessShareLock);
    }
    const char *reason = judge(count);
    hash_destroy(count.values);
    hash_destroy(count.tenants);
    return reason;
}

void refuse(const Order &order) {
    const char *why =
        order.confirms ? nullptr : reason(order.table, order.column, *order.type, true);
    if (why == nullptr) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("column \"%s\" of table \"%s\" has too few different values to be searchable",
                    order.column, get_rel_name(order.table)),
             errdetail("%s Equal values of a tenant have equal search tokens, and how often each "
                       "occurs tells which is which.",
                       why),
             errhint("Choose a type without search, like aegis.sealed_text, or pass "
                     "confirm_low_entropy => true.")));
}

bool confirm(const Order &order) {
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(order.reference)};
    if (!order.confirms ||
        run_as_owner("UPDATE aegis.field SET low_entropy_confirmed = true WHERE reference = $1 AND "
                     "NOT low_entropy_confirmed",
                     1, types, values, false) == 0)
        return false;
    ledger::DetailPair pairs[] = {{"column", order.column, 0},
                                  {"low_entropy_confirmed", nullptr, 1},
                                  {"table", get_rel_name(order.table), 0}};
    record("field.registered", order.field, pairs, 3);
    return true;
}

}  // namespace aegis::field::entropy

// For the owner of the table.
AEGIS_FUNCTION(aegis_low_entropy) {
    using namespace aegis;
    Oid table = PG_GETARG_OID(0);
    field::require_owner(table);
    const sealed::Type *type = sealed::find_type(PG_GETARG_OID(2));
    const char *why = type == nullptr
                          ? nullptr
                          : field::entropy::reason(table, NameStr(*PG_GETARG_NAME(1)), *type, true);
    if (why == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(why));
}

// Of a column that has a sealed type. Granted to nobody; a report does not wait for a migration.
AEGIS_FUNCTION(aegis_coverage_entropy) {
    using namespace aegis;
    Oid table = PG_GETARG_OID(0);
    const char *column = NameStr(*PG_GETARG_NAME(1));
    AttrNumber number = get_attnum(table, column);
    const sealed::Type *type = number > 0 ? sealed::find_type(get_atttype(table, number)) : nullptr;
    const char *why =
        type == nullptr ? nullptr : field::entropy::reason(table, column, *type, false);
    if (why == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(why));
}

// SPDX-License-Identifier: Apache-2.0
// Which types are sealed, and of what kind. A kind is a row of the table below and its input
// function; sql/sealed.sql makes a type of it, with or without a normaliser's operators.
#include "core/digest.hpp"
#include "sealed.hpp"

#include "label.hpp"
#include "pg/function.hpp"

namespace aegis::sealed {

namespace {

// word, plaintext, plain type, normaliser
#define AEGIS_SEALED_KINDS(KIND)                         \
    KIND(text, text, TEXTOID, none)                      \
    KIND(bytea, bytea, BYTEAOID, none)                   \
    KIND(jsonb, jsonb, JSONBOID, none)                   \
    KIND(numeric, numeric, NUMERICOID, none)             \
    KIND(date, date, DATEOID, none)                      \
    KIND(timestamptz, timestamptz, TIMESTAMPTZOID, none) \
    KIND(exact, text, TEXTOID, exact)                    \
    KIND(keyword, text, TEXTOID, keyword)                \
    KIND(caseless, text, TEXTOID, caseless)              \
    KIND(email, text, TEXTOID, email)                    \
    KIND(phone, text, TEXTOID, phone)                    \
    KIND(alnum, text, TEXTOID, alnum)

#define AEGIS_SYMBOL "aegis_sealed_in_"
#define AEGIS_SEALED_ROW(word, plaintext, plain, normaliser) \
    {AEGIS_SYMBOL #word, core::PlaintextType::plaintext, plain, core::Normaliser::normaliser},
const Kind kinds[] = {AEGIS_SEALED_KINDS(AEGIS_SEALED_ROW)};
#undef AEGIS_SEALED_ROW

constexpr char kMaskLabel[] = "mask=";

// Of this process; what was dropped stays, for others may point to it.
struct Known {
    Type type;
    Known *next;
} *known_types = nullptr;

const Type *intern(const Kind *kind, const char *name) {
    for (Known *known = known_types; known != nullptr; known = known->next)
        if (known->type.kind == kind && strcmp(known->type.name, name) == 0) return &known->type;
    uint32_t reference = kind->searchable() ? reference_of(name) : 0;
    Known *known = static_cast<Known *>(MemoryContextAlloc(TopMemoryContext, sizeof(Known)));
    known->type = {kind, MemoryContextStrdup(TopMemoryContext, name), reference};
    known->next = known_types;
    known_types = known;
    return &known->type;
}

const Kind *kind_of_symbol(const char *symbol) {
    for (const Kind &kind : kinds)
        if (strcmp(kind.symbol, symbol) == 0) return &kind;
    return nullptr;
}

// The kind that a type's input function names. Only superusers make functions in C.
const Kind *kind_of_input(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    const Kind *kind = nullptr;
    if (reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang == ClanguageId) {
        bool is_null = false;
        Datum symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
        if (!is_null) kind = kind_of_symbol(TextDatumGetCString(symbol));
    }
    ReleaseSysCache(tuple);
    return kind;
}

const Type *type_of_row(Form_pg_type row) {
    if (row->typtype != TYPTYPE_BASE || row->typlen != -1 || !row->typisdefined) return nullptr;
    const Kind *kind = kind_of_input(row->typinput);
    return kind != nullptr ? intern(kind, NameStr(row->typname)) : nullptr;
}

const char *mask_word_of(const char *label) {
    size_t length = strlen(kMaskLabel);
    return strncmp(label, kMaskLabel, length) == 0 ? label + length : "";
}

}  // namespace

void check_mask_label(const char *label) {
    core::Mask mask;
    if (!core::find_mask(mask_word_of(label), &mask))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid label \"%s\"", label),
                 errhint("A label is \"mask=\" and the word of a mask.")));
}

uint32_t reference_of(const char *name) {
    uint32_t reference = 0;
    pg::raise(pg::run([&] {
        core::Digest digest = core::sha256(core::as_bytes("aegis/type/1"), core::as_bytes(name));
        reference = core::get_u32(digest.bytes);
    }));
    return reference;
}

const Type *find_type(Oid oid) {
    if (oid < FirstNormalObjectId) return nullptr;  // the server's own
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    const Type *found = type_of_row(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple)));
    ReleaseSysCache(tuple);
    return found;
}

const Type &type_of(FunctionCallInfo fcinfo) {
    FmgrInfo *function = fcinfo->flinfo;
    if (function->fn_extra != nullptr) return *static_cast<const Type *>(function->fn_extra);
    Oid *arguments = nullptr;
    int count = 0;
    Oid result = get_func_signature(function->fn_oid, &arguments, &count);
    const Type *found = find_type(result);
    for (int i = 0; i < count && found == nullptr; i++) {
        // Only the first may stand for the value where a function takes any: behind it stands what
        // the value is bound to, and says nothing of it.
        bool open = i == 0 && (IsPolymorphicType(arguments[i]) || arguments[i] == ANYOID);
        found = find_type(open ? get_fn_expr_argtype(function, i) : arguments[i]);
    }
    if (found == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("value is not of a sealed type")));
    function->fn_extra = const_cast<Type *>(found);
    return *found;
}

const Kind *find_kind(const char *normaliser) {
    if (normaliser == nullptr) return kind_of_symbol(AEGIS_SYMBOL "text");
    const Kind *kind = kind_of_symbol(psprintf(AEGIS_SYMBOL "%s", normaliser));
    return kind != nullptr && kind->searchable() ? kind : nullptr;
}

core::Mask mask_of(Oid type) {
    ObjectAddress object;
    ObjectAddressSet(object, TypeRelationId, type);
    char *text = GetSecurityLabel(&object, label::kProvider);
    core::Mask mask = core::Mask::full;
    if (text != nullptr) core::find_mask(mask_word_of(text), &mask);
    return mask;
}

void check_reference(const char *name, uint32_t reference, Oid except) {
    Relation catalog = table_open(TypeRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, nullptr, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_type row = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
        const Type *other = row->oid != except ? type_of_row(row) : nullptr;
        if (other != nullptr && other->kind->searchable() && other->reference == reference)
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                            errmsg("sealed types \"%s\" and \"%s\" would have the same search key",
                                   name, format_type_be_qualified(row->oid)),
                            errhint("Choose another name.")));
    }
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
}

// The catalog's new row is not in the cache yet, the old one still is. A type's search key follows
// from its name, so two must not share one, and none may change.
void check_type(Oid oid) {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_type_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
    Relation catalog = table_open(TypeRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(catalog, TypeOidIndexId, true, SnapshotSelf, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    const Type *type = HeapTupleIsValid(tuple)
                           ? type_of_row(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple)))
                           : nullptr;
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
    if (type == nullptr) return;
    const Type *before = find_type(oid);
    if (before != nullptr && before != type)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("sealed type \"%s\" cannot be renamed", before->name),
                        errdetail("Its search key follows from its name.")));
    if (before == nullptr && type->kind->searchable())
        check_reference(type->name, type->reference, oid);
}

}  // namespace aegis::sealed

namespace {

using namespace aegis;

Datum input(FunctionCallInfo fcinfo, const sealed::Kind &kind) {
    PG_RETURN_POINTER(sealed::from_text(kind, pg::view_of(PG_GETARG_CSTRING(0))));
}

enum KindNumber {
#define AEGIS_SEALED_NUMBER(word, plaintext, plain, normaliser) kKind_##word,
    AEGIS_SEALED_KINDS(AEGIS_SEALED_NUMBER)
#undef AEGIS_SEALED_NUMBER
};

}  // namespace

#define AEGIS_SEALED_INPUT(word, plaintext, plain, normaliser) \
    AEGIS_FUNCTION(aegis_sealed_in_##word) {                   \
        return input(fcinfo, sealed::kinds[kKind_##word]);     \
    }
AEGIS_SEALED_KINDS(AEGIS_SEALED_INPUT)
#undef AEGIS_SEALED_INPUT

// SPDX-License-Identifier: Apache-2.0
// Equality, hashing and token order of searchable types, and what ANALYZE may learn. Everything
// works on 16-byte tokens. The token of an unsealed value depends on its type and the current
// tenant only, so constants, parameters and stored values agree in every plan.
#include "core/xaes.hpp"
#include "sealed.hpp"

#include "context.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "pg/function.hpp"

namespace aegis::sealed {

namespace {

// Tokens of the unsealed values that a plan compares with every row, which may be a list of
// hundreds that nothing hashes. A value's nonce is random, so equal nonces mean equal values, and
// its first bytes choose the set evenly.
struct Remembered {
    uint64_t version;  // of the keys
    pg_uuid_t tenant;
    uint32_t type;
    uint8_t nonce[core::kXaesNonceBytes];
    uint8_t token[core::kTokenBytes];
} remembered[1024][4];

core::ByteView nonce_of_unsealed(core::ByteView value) {
    return value.slice(4 + core::kBootIdBytes, core::kXaesNonceBytes);
}

// The place of an unsealed value, whose version is 0 when its token is still to be made.
Remembered &remember(const pg_uuid_t &tenant, uint32_t type, core::ByteView nonce) {
    uint64_t version = key_cache::version();
    uint16_t number;
    memcpy(&number, nonce.data, sizeof number);
    Remembered(&set)[4] = remembered[number % lengthof(remembered)];
    for (Remembered &entry : set)
        if (entry.version == version && entry.type == type &&
            memcmp(entry.nonce, nonce.data, sizeof entry.nonce) == 0 &&
            memcmp(&entry.tenant, &tenant, sizeof tenant) == 0)
            return entry;
    // Any but the one replaced last: a list that is longer than a set then keeps a part of it.
    static unsigned turn = 0;
    Remembered &entry = set[turn++ % lengthof(set)];
    entry.version = 0;
    entry.tenant = tenant;
    entry.type = type;
    memcpy(entry.nonce, nonce.data, sizeof entry.nonce);
    return entry;
}

// ERROR when an envelope has no token to compare. A value whose subject was erased has lost its
// own: the first half of its nonce takes the place, which is random, so that it equals nothing
// else.
const uint8_t *embedded_token(core::ByteView envelope) {
    core::EnvelopeParts parts = parse(envelope);
    if ((parts.header.flags & core::kFlagTokenRemoved) != 0) return parts.nonce.data;
    if (parts.token.size != core::kTokenBytes)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED), errmsg("sealed value has no search token")));
    return parts.token.data;
}

}  // namespace

pg::Report make_token(const pg_uuid_t &tenant, const Type &type, core::ByteView plaintext,
                      uint8_t out[core::kTokenBytes]) {
    core::Normaliser how = type.kind->normaliser;
    uint8_t small[512];
    core::ByteSpan room{small, core::normalised_capacity(how, plaintext.size)};
    if (room.size > sizeof small) room.data = static_cast<uint8_t *>(palloc(room.size));
    size_t size = 0;
    pg::Report report = pg::run([&] { size = core::normalise(how, plaintext, room); });
    if (!report.failed) key::search_token(tenant, type.reference, {room.data, size}, out);
    core::wipe(room);
    if (room.data != small) pfree(room.data);
    if (report.failed && how == core::Normaliser::phone)
        report.hint = "Write it with its country prefix, like +49 171 2345678.";
    return report;
}

void token_of_plaintext(const pg_uuid_t &tenant, const Type &type, core::ByteView plaintext,
                        uint8_t out[core::kTokenBytes]) {
    // No stored value equals a text that is not well formed or too long: it is compared as it
    // stands.
    if (plaintext.size <= kMaxSearchableBytes) {
        pg::Report report = make_token(tenant, type, plaintext, out);
        if (!report.failed) return;
        if (report.sqlstate != ERRCODE_INVALID_TEXT_REPRESENTATION) pg::raise(report);
    }
    key::search_token(tenant, type.reference, plaintext, out);
}

void token_of_value(const Type &type, core::ByteView value, uint8_t out[core::kTokenBytes]) {
    if (is_envelope(value)) {
        memcpy(out, embedded_token(value), core::kTokenBytes);
        return;
    }
    const pg_uuid_t &tenant = context::require().tenant;
    Remembered &entry = remember(tenant, type.reference, nonce_of_unsealed(value));
    if (entry.version == 0) {
        core::ByteSpan plaintext = open_unsealed(value);
        token_of_plaintext(tenant, type, plaintext, entry.token);
        discard(plaintext);
        entry.version = key_cache::version();
    }
    memcpy(out, entry.token, core::kTokenBytes);
}

}  // namespace aegis::sealed

namespace {

using namespace aegis;

// Negative, zero or positive, by the tokens' bytes.
int compare(const sealed::Type &type, Datum a, Datum b) {
    uint8_t first[core::kTokenBytes], second[core::kTokenBytes];
    sealed::token_of_value(type, pg::varlena_view(a), first);
    sealed::token_of_value(type, pg::varlena_view(b), second);
    return memcmp(first, second, sizeof first);
}

int compare(FunctionCallInfo fcinfo) {
    return compare(sealed::type_of(fcinfo), PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
}

// A text that a plan compares with every row is read once.
struct LastText {
    const sealed::Type *type;
    struct varlena *text;
    struct varlena *value;
};

int compare_with_text(FunctionCallInfo fcinfo, Datum value, Datum text) {
    LastText *last = static_cast<LastText *>(fcinfo->flinfo->fn_extra);
    if (last == nullptr) {
        const sealed::Type &type = sealed::type_of(fcinfo);
        last = static_cast<LastText *>(
            MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LastText)));
        last->type = &type;
        fcinfo->flinfo->fn_extra = last;
    }
    core::ByteView view = pg::varlena_view(text);
    if (last->value == nullptr || view.size != VARSIZE(last->text) - VARHDRSZ ||
        memcmp(view.data, VARDATA(last->text), view.size) != 0) {
        MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
        struct varlena *copy = pg::copy_varlena(view);
        struct varlena *made = sealed::from_text(*last->type->kind, pg::payload(copy));
        MemoryContextSwitchTo(caller);
        if (last->value != nullptr) {
            core::wipe(pg::payload(last->text));
            pfree(last->text);
            pfree(last->value);
        }
        last->text = copy;
        last->value = made;
    }
    return compare(*last->type, value, PointerGetDatum(last->value));
}

[[noreturn]] void no_order() {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("sealed values have no order"),
                    errhint("Compare them with = and <> only.")));
    pg_unreachable();
}

}  // namespace

AEGIS_FUNCTION(aegis_sealed_eq) {
    PG_RETURN_BOOL(compare(fcinfo) == 0);
}
AEGIS_FUNCTION(aegis_sealed_ne) {
    PG_RETURN_BOOL(compare(fcinfo) != 0);
}
AEGIS_FUNCTION(aegis_sealed_cmp) {
    PG_RETURN_INT32(compare(fcinfo));
}
AEGIS_FUNCTION(aegis_sealed_hash) {
    uint8_t token[core::kTokenBytes];
    sealed::token_of_value(sealed::type_of(fcinfo), pg::varlena_view(PG_GETARG_DATUM(0)), token);
    return hash_any(token, sizeof token);
}
AEGIS_FUNCTION(aegis_sealed_hash_extended) {
    uint8_t token[core::kTokenBytes];
    sealed::token_of_value(sealed::type_of(fcinfo), pg::varlena_view(PG_GETARG_DATUM(0)), token);
    return hash_any_extended(token, sizeof token, static_cast<uint64>(PG_GETARG_INT64(1)));
}
AEGIS_FUNCTION(aegis_sealed_eq_text) {
    PG_RETURN_BOOL(compare_with_text(fcinfo, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) == 0);
}
AEGIS_FUNCTION(aegis_sealed_ne_text) {
    PG_RETURN_BOOL(compare_with_text(fcinfo, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) != 0);
}
AEGIS_FUNCTION(aegis_text_eq_sealed) {
    PG_RETURN_BOOL(compare_with_text(fcinfo, PG_GETARG_DATUM(1), PG_GETARG_DATUM(0)) == 0);
}
AEGIS_FUNCTION(aegis_text_ne_sealed) {
    PG_RETURN_BOOL(compare_with_text(fcinfo, PG_GETARG_DATUM(1), PG_GETARG_DATUM(0)) != 0);
}

// Lets a sealed value = text use an index: the text is read once and compared as a sealed value.
AEGIS_FUNCTION(aegis_sealed_support) {
    Node *request = reinterpret_cast<Node *>(PG_GETARG_POINTER(0));
    if (!IsA(request, SupportRequestIndexCondition)) PG_RETURN_POINTER(nullptr);
    auto *condition = reinterpret_cast<SupportRequestIndexCondition *>(request);
    List *arguments =
        is_opclause(condition->node)     ? reinterpret_cast<OpExpr *>(condition->node)->args
        : is_funcclause(condition->node) ? reinterpret_cast<FuncExpr *>(condition->node)->args
                                         : NIL;
    if (list_length(arguments) != 2) PG_RETURN_POINTER(nullptr);
    Expr *column = static_cast<Expr *>(list_nth(arguments, condition->indexarg));
    Expr *text = static_cast<Expr *>(list_nth(arguments, 1 - condition->indexarg));
    Oid type = condition->index->opcintype[condition->indexcol];
    int equal =
        condition->index->relam == HASH_AM_OID ? HTEqualStrategyNumber : BTEqualStrategyNumber;
    Oid operator_id = get_opfamily_member(condition->opfamily, type, type, equal),
        cast = InvalidOid;
    if (!OidIsValid(operator_id) ||
        find_coercion_pathway(type, TEXTOID, COERCION_EXPLICIT, &cast) != COERCION_PATH_FUNC ||
        !is_pseudo_constant_for_index(condition->root, reinterpret_cast<Node *>(text),
                                      condition->index))
        PG_RETURN_POINTER(nullptr);
    Expr *value = reinterpret_cast<Expr *>(
        makeFuncExpr(cast, type, list_make1(text), InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
    condition->lossy = false;
    PG_RETURN_POINTER(list_make1(
        make_opclause(operator_id, BOOLOID, false, column, value, InvalidOid, InvalidOid)));
}

// The ordering operators exist for the operator class alone, because sorts and merge joins need
// one. A statement that uses them is refused: when it runs, and when it is planned, because an
// index would answer without calling them.
AEGIS_FUNCTION(aegis_sealed_order) {
    no_order();
}
AEGIS_FUNCTION(aegis_sealed_order_selectivity) {
    no_order();
}

namespace {

// Null fraction and width only. Most common values and histograms would show frequencies, and the
// planner would compare them without a tenant.
void compute_statistics(VacAttrStatsP stats, AnalyzeAttrFetchFunc fetch, int rows,
                        double total_rows) {
    int nulls = 0, values = 0;
    double width = 0;
    for (int i = 0; i < rows; i++) {
        vacuum_delay_point();
        bool is_null = false;
        Datum value = fetch(stats, i, &is_null);
        if (is_null) {
            nulls++;
        } else {
            values++;
            width += VARSIZE_ANY(DatumGetPointer(value));
        }
    }
    if (rows == 0) return;
    stats->stats_valid = true;
    stats->stanullfrac = static_cast<float4>(static_cast<double>(nulls) / rows);
    stats->stawidth = values > 0 ? static_cast<int32>(width / values) : 0;
    stats->stadistinct = values > 0 ? -1.0f + stats->stanullfrac : 0;  // as good as unique
}

}  // namespace

AEGIS_FUNCTION(aegis_sealed_typanalyze) {
    VacAttrStats *stats = reinterpret_cast<VacAttrStats *>(PG_GETARG_POINTER(0));
    if (stats->attr->attstattarget < 0) stats->attr->attstattarget = default_statistics_target;
    stats->compute_stats = compute_statistics;
    stats->minrows = 300;
    PG_RETURN_BOOL(true);
}

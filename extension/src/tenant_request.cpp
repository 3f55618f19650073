// SPDX-License-Identifier: Apache-2.0
// The entries of a tenant's life that functions in SQL write: requests, exports, imports, erasures.
// docs/tenant_request.md.
#include "core/cut.hpp"

#include "ledger.hpp"
#include "pg/function.hpp"
#include "role.hpp"

namespace aegis::tenant_request {

namespace {

constexpr int kMostDetails = 16;

// The members of an object that are strings or whole numbers.
int read_details(Jsonb *object, ledger::DetailPair *pairs) {
    int count = 0;
    JsonbIterator *iterator = JsonbIteratorInit(&object->root);
    JsonbValue value;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY) {
            if (count == kMostDetails)
                ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                                errmsg("too many details for a ledger entry")));
            pairs[count] = {pnstrdup(value.val.string.val, value.val.string.len), nullptr, 0};
        } else if (token == WJB_VALUE) {
            ledger::DetailPair &pair = pairs[count++];
            if (value.type == jbvNumeric)
                pair.number = DatumGetInt64(
                    DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric)));
            else if (value.type == jbvString)
                pair.text = pnstrdup(value.val.string.val, value.val.string.len);
            else
                ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                                errmsg("a detail is neither a string nor a number")));
        }
    }
    return count;
}

}  // namespace

}  // namespace aegis::tenant_request

AEGIS_FUNCTION(aegis_record_tenant_event) {
    using namespace aegis;
    // Nobody is granted it, and an owner of a database could grant it to themselves.
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner writes entries of the life of a tenant")));
    if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("event, target and detail must not be null")));
    ledger::DetailPair pairs[tenant_request::kMostDetails];
    int count = tenant_request::read_details(PG_GETARG_JSONB_P(4), pairs);
    uint8_t buffer[2048];
    ledger::Event event{};
    event.type = text_to_cstring(PG_GETARG_TEXT_PP(0));
    // Leaves below it may be without entries: it is written together with the row that says why.
    if (core::kCutEvent == event.type)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only the cut of a ledger writes the entry that records it"),
                        errhint("Call aegis.cut_ledger() with an approved request.")));
    // Of no tenant means the system, also while an operator works in an assumed one.
    static const pg_uuid_t nil = {};
    event.tenant = PG_ARGISNULL(1) ? &nil : PG_GETARG_UUID_P(1);
    event.target_kind = text_to_cstring(PG_GETARG_TEXT_PP(2));
    event.target_id = text_to_cstring(PG_GETARG_TEXT_PP(3));
    event.detail = ledger::encode_detail(pairs, count, core::ByteSpan(buffer));
    ledger::append(event);
    PG_RETURN_VOID();
}

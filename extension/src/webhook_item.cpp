// SPDX-License-Identifier: Apache-2.0
// Adyen signs eight fields of its one item and puts the signature into the body, so the body is
// read, strictly, before it is known whose it is.
#include "core/webhook_signature.hpp"

#include "json_body.hpp"
#include "pg/function.hpp"
#include "pg/subtransaction.hpp"
#include "webhook.hpp"

namespace aegis::webhook {

namespace {

// The value behind a key; false when the container is no object or has none.
bool find(const JsonbValue &from, const char *key, JsonbValue *out) {
    if (from.type != jbvBinary || !JsonContainerIsObject(from.val.binary.data)) return false;
    JsonbValue *found = getKeyJsonValueFromContainer(from.val.binary.data, key,
                                                     static_cast<int>(strlen(key)), nullptr);
    if (found == nullptr) return false;
    *out = *found;
    return true;
}

// As it stands in the text that is signed: null, and what is not there, is empty.
std::string_view text_of(const JsonbValue &from, const char *key) {
    JsonbValue value;
    if (!find(from, key, &value)) return {};
    switch (value.type) {
        case jbvString:
            return {value.val.string.val, static_cast<size_t>(value.val.string.len)};
        case jbvNumeric:
            return DatumGetCString(
                DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
        case jbvBool:
            return value.val.boolean ? "true" : "false";
        default:
            return {};
    }
}

bool only_item(Jsonb *body, JsonbValue *item) {
    JsonbValue root = {}, items, first;
    root.type = jbvBinary;
    root.val.binary.data = &body->root;
    root.val.binary.len = static_cast<int>(VARSIZE(body));
    if (!find(root, "notificationItems", &items) || items.type != jbvBinary ||
        !JsonContainerIsArray(items.val.binary.data) ||
        JsonContainerSize(items.val.binary.data) != 1)
        return false;
    JsonbValue *element = getIthJsonbValueFromContainer(items.val.binary.data, 0);
    first = *element;
    return find(first, "NotificationRequestItem", item);
}

}  // namespace

bool read_adyen_item(core::ByteView body, core::AdyenItem *item) {
    Jsonb *parsed = nullptr;
    auto parse = [&] { parsed = http::parse_json_body(body); };
    if (ErrorData *error = pg::try_in_subtransaction(parse)) {
        int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
        if (category != MAKE_SQLSTATE('2', '2', '0', '0', '0') &&
            category != MAKE_SQLSTATE('5', '4', '0', '0', '0'))
            ReThrowError(error);
        return false;
    }
    JsonbValue found, more;
    if (!only_item(parsed, &found)) return false;
    static const char *const names[core::kAdyenFields] = {
        "pspReference", "originalReference", "merchantAccountCode", "merchantReference",
        "value",        "currency",          "eventCode",           "success"};
    for (size_t i = 0; i < core::kAdyenFields; i++) {
        bool of_amount = i == 4 || i == 5;
        if (of_amount && !find(found, "amount", &more)) continue;
        item->fields[i] = text_of(of_amount ? more : found, names[i]);
    }
    if (find(found, "additionalData", &more)) item->signature = text_of(more, "hmacSignature");
    return true;
}

}  // namespace aegis::webhook
